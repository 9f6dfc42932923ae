"""Evaluate the study of the Joint model: how good its estimates are, and how common its four cases.

``python experiments/joint/run.py`` prints the tables of README.md, with ``accuracy`` or ``cases`` those of one part.
``--plots FOLDER`` draws its pictures, ``--readme`` writes both into README.md and its folder, and ``--data FOLDER``
compares with published measurements too (by default those under ``TIERCUT_DATA``).
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from assumptions import Network, corrections, parts, sureness
from brief import in_short
from drawing import clouds, draw_cases, draw_validation, heats, rate_clouds
from four_cases import CASES, Condition, conditions, destinations, examples, questions, shares, third_and_fourth
from published import cascades, compare
from trainings import RECORDED, SETTINGS, Trainings, archive_of, partitionings
from validation import Table, against_recording, against_trainings, summary

import tiercut

PROFILES = {"digits": "resnet20-digits32", "clutter": "resnet20-clutter", "inception": "inceptionv3half-clutter"}
"""The recorded networks, and what to call them."""

INCEPTION = Path(__file__).parent.parent / "scission" / "profiles" / "inceptionv3.json"
"""InceptionV3 without exits, as the study of Scission recorded it."""

THRESHOLDS = [place / 20 for place in range(1, 21)]

DRAWN = 28
"""Partitionings drawn for what needs no training: as many as in the paper."""

REFERENCES = (0.3, 1.0, 2.0, 3.0, 10.0)
"""How many times as fast as the recorded core the reference of the third and fourth case is."""

IMAGE_BYTES = {"32x32": 4.0 * 32 * 32 * 3, "75x75": 4.0 * 75 * 75 * 3}
"""Images as they are, and enlarged as InceptionV3 takes them, float32 with three channels."""

README, IMAGES = Path(__file__).with_name("README.md"), Path(__file__).with_name("images")


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["accuracy", "cases"], help="by default both")
    parser.add_argument("--data", type=Path, default=_data_folder(), help="published measurements")
    parser.add_argument("--trained", type=Path, default=RECORDED, help="folder of train.py --to, finished or not")
    parser.add_argument("--plots", type=Path, help="folder for the pictures")
    parser.add_argument("--readme", action="store_true", help="write tables and pictures into README.md and its folder")
    given = parser.parse_args()
    if given.readme and not given.data and given.part != "accuracy":
        parser.error("--readme needs the published measurements, which README.md quotes: --data FOLDER")
    plots = given.plots or (IMAGES if given.readme else None)
    if plots:
        plots.mkdir(parents=True, exist_ok=True)
    sections: dict[str, str] = {}
    if given.part != "cases":
        sections |= accuracy(given.data and given.data / "joint", plots, read_trainings(given.trained))
    if given.part != "accuracy":
        sections |= cases(given.data and given.data / "scission", plots)
    for title, text in sections.items():
        print(f"\n### {title}\n\n{text}")
    if given.readme:
        README.write_text(placed(README.read_text(encoding="utf-8"), sections), encoding="utf-8")


def placed(readme: str, sections: dict[str, str]) -> str:
    """Return a text with sections in the place of what stands between their marks."""
    for title, text in sections.items():
        begin, end = f"<!-- run.py --readme: {title} -->\n", "\n<!-- end -->"
        before, mark, rest = readme.partition(begin)
        if not mark:
            raise ValueError(f"README.md has no place for '{title}': expected the line {begin.strip()}")
        readme = f"{before}{mark}\n{text}\n{end}{rest.partition(end)[2]}"
    return readme


def accuracy(data: Path | None, plots: Path | None, trained: dict[str, Trainings]) -> dict[str, str]:
    """Return how good estimates are, by title, and draw it."""
    rows_of, networks = specialised(trained), by_setting(trained)
    apart = {name: parts(each, THRESHOLDS) for name, each in networks.items()}
    corrected = corrections(networks, THRESHOLDS)
    sections = {
        "What was trained": progress(trained),
        "Accuracy of every branch": depth(trained),
        "The same network, its branches used in part": table(recordings()),
        "Networks trained with their exits alone": table(rows_of),
        "Which assumption breaks": "\n\n".join([table(apart), sure(trained, networks)]),
        "A correction": "\n\n".join([table(corrected), numbers(networks, corrected)]),
        "In short": "\n".join(
            line
            for name, each in networks.items()
            for line in in_short(name, each, rows_of[name], apart[name], corrected.get(name))
        ),
    }
    if data:
        sections["Published networks"] = table(published(data))
    if plots:
        panels = {name: clouds(rows, name) for name, rows in rows_of.items()}
        draw_validation(panels).savefig(plots / "validation.png", dpi=110)
        shown = {name: pd.concat([rows, corrected.get(name)]) for name, rows in apart.items()}
        rates = {name: rate_clouds(rows, name) for name, rows in shown.items()}
        draw_validation(rates).savefig(plots / "rates.png", dpi=110)
    return sections


def cases(data: Path | None, plots: Path | None) -> dict[str, str]:
    """Return how common the four cases are, by title, and draw where."""
    asked = sweep()
    timed = [
        ("timed here", tiercut.load_profile(INCEPTION)),
        *([("published", published_inception(data))] if data else []),
    ]
    sections = {
        "How often": common(asked),
        "Where each saves most": "\n".join(line for name, rows in asked.items() for line in found(name, rows)),
        "InceptionV3": "\n".join(line for name, profile in timed for line in inception(name, profile)),
        "InceptionV3 with exits": "\n".join(as_published(tiercut.load_profile(PROFILES["inception"]))),
    }
    if plots:
        drawn = [row for name, rows in asked.items() if name.startswith("clutter") for row in heats(rows, name)]
        draw_cases(drawn).savefig(plots / "cases.png", dpi=90)
    return sections


def _data_folder() -> Path | None:
    named = os.environ.get("TIERCUT_DATA")
    return Path(named) if named else None


def read_trainings(folder: Path) -> dict[str, Trainings]:
    """Return what was trained, finished or not, by setting; files of the folder count before those recorded."""
    found = {}
    for setting in SETTINGS:
        archives = [archive_of(setting, each) for each in (folder, RECORDED) if archive_of(setting, each).exists()]
        trainings = Trainings.read(archives[0]) if archives else Trainings({})
        if trainings.has("all"):
            found[setting] = trainings
    return found


def progress(trained: dict[str, Trainings]) -> str:
    """Return a line for each setting: how much of it is done, and when trainings ended."""
    lines = []
    for setting, trainings in trained.items():
        several = sum(1 for _ in trainings.partitionings())
        alone = sum(trainings.has(str(block)) for block in range(1, 11))
        how = SETTINGS[setting]
        epochs = trainings.epochs() or [how.epochs]
        lasted = f"{epochs[0]}" if min(epochs) == max(epochs) else f"{min(epochs)} to {max(epochs)}"
        done = f"{several} of {how.partitionings} partitionings and {alone} of 10 branches alone"
        rises = [rise * 100 for rise in trainings.rises(how.patience)]
        brought = f", the last {how.patience} brought {min(rises):.1f} to {max(rises):.1f} points" if rises else ""
        lines.append(f"- {setting}: all exits, {done}; {lasted} epochs, at most {how.epochs}{brought}")
    return "\n".join(lines)


def depth(trained: dict[str, Trainings]) -> str:
    """Return a table of the accuracy of every branch of what was trained, and of the recorded networks."""
    recorded = {name: tiercut.load_profile(file).exits.accuracy for name, file in PROFILES.items()}
    places = range(1, max(map(len, recorded.values())) + 1)
    lines = ["| network | trained with | measured on | " + " | ".join(map(str, places)) + " |"]
    lines.append("| --- | --- | --- " + "| ---: " * len(places) + "|")
    for name, known in recorded.items():
        cells = [*known, *[np.nan] * (len(places) - len(known))]
        lines.append(_percent(f"| {name} | all exits | profile split ", cells))
    for setting, trainings in trained.items():
        rows = [("all exits", "all", tuple(range(1, 11)))]
        rows += [(f"exits {', '.join(map(str, blocks))}", key, blocks) for key, blocks in trainings.partitionings()]
        rows += [(f"exit {block}", str(block), (block,)) for block in range(1, 11) if trainings.has(str(block))]
        for how, key, blocks in rows:
            shares = dict(zip(blocks, trainings.correct(key, "test").mean(axis=0), strict=True))
            cells = [shares.get(block, np.nan) for block in places]
            lines.append(_percent(f"| {setting} | {how} | test split ", cells))
    return "\n".join(lines)


def _percent(head: str, shares: Iterable[float]) -> str:
    return head + "".join(f"| {share:.1%} " if np.isfinite(share) else "| " for share in shares) + "|"


def recordings() -> dict[str, pd.DataFrame]:
    """Return, by network, how estimates compare with the recorded network whose branches are used in part."""
    return {
        name: against_recording(
            *recorded_tables(file), THRESHOLDS, partitionings(DRAWN, blocks=tiercut.load_profile(file).block_count)
        )
        for name, file in PROFILES.items()
    }


def recorded_tables(file: str) -> tuple[Table, Table]:
    """Return what the branches of a recorded network say of two sets of samples.

    These are its profile and its test split; or, where no test split was recorded, the even and the odd samples of the
    profile split.
    """
    profile = tiercut.load_profile(file)
    samples = tiercut.samples_of(profile)
    entropy, correct = samples.entropy.astype(float), samples.correct
    if profile.test_samples_file is None:
        return Table(entropy[::2], correct[::2]), Table(entropy[1::2], correct[1::2])
    other = tiercut.samples_of(profile, "test")
    return Table(entropy, correct), Table(other.entropy.astype(float), other.correct)


def by_setting(trained: dict[str, Trainings]) -> dict[str, list[Network]]:
    """Return, by setting, the networks that were trained with their exits alone, and what was known before."""
    found = {}
    for setting, trainings in trained.items():
        whole = Table(trainings.entropy("all", "profile"), trainings.correct("all", "profile"))
        networks = []
        for name, blocks in trainings.partitionings():
            own = Table(trainings.entropy(name, "test"), trainings.correct(name, "test"))
            networks.append(Network(blocks, own, whole.of(blocks), branches_alone(trainings, blocks)))
        if networks:
            found[setting] = networks
    return found


def branches_alone(trainings: Trainings, blocks: Iterable[int]) -> Table | None:
    """Return what branches that were trained by themselves say of the profile split; None where one was not."""
    names = [str(block) for block in blocks]
    if not all(trainings.has(name) for name in names):
        return None
    return Table(
        np.hstack([trainings.entropy(name, "profile") for name in names]),
        np.hstack([trainings.correct(name, "profile") for name in names]),
    )


def sure(trained: dict[str, Trainings], networks: dict[str, list[Network]]) -> str:
    """Return a table of how sure and how right branches are with all others, with some, and by themselves."""
    lines = [
        "| network | branches | of them | mean entropy: with all | own | accuracy: with all | as sure as own | own "
        "| size of the last step |",
        "| --- | --- " + "| ---: " * 7 + "|",
    ]
    for setting, each in networks.items():
        whole = Table(trained[setting].entropy("all", "profile"), trained[setting].correct("all", "profile"))
        alone = [
            Network((block,), own, whole.of([block]))
            for block in range(1, 11)
            if (own := branches_alone(trained[setting], [block]))
        ]
        for name, some in (("of partitionings", each), ("by themselves", alone)):
            if some:
                found = sureness(some)
                shares = " | ".join(f"{found[key]:.1%}" for key in ("accuracy", "accuracy_as_sure", "accuracy_own"))
                cells = f"{found['branches']:.0f} | {found['entropy']:.3f} | {found['entropy_own']:.3f} | {shares}"
                lines.append(f"| {setting} | {name} | {cells} | {found['off_as_sure'] * 100:.1f} points |")
    return "\n".join(lines)


def numbers(networks: dict[str, list[Network]], corrected: dict[str, pd.DataFrame]) -> str:
    """Return a line for each setting and correction: how many networks it was measured on, and the numbers found."""
    lines = []
    for setting, rows in corrected.items():
        for name, group in rows.groupby("estimator", sort=False):
            least, most, count = group["by"].min(), group["by"].max(), group["partitioning"].nunique()
            kind = "power" if name == "sharpened" else "weight of branches by themselves"
            lines.append(
                f"- {setting}, {name}: {count} of {len(networks[setting])} networks, each with a {kind} found on "
                f"others: {f'{least:.2f} to {most:.2f}' if most > least else f'{least:.2f}'}"
            )
    return "\n".join(lines)


def specialised(trained: dict[str, Trainings]) -> dict[str, pd.DataFrame]:
    """Return, by setting, how estimates compare with networks that were trained with their exits alone."""
    found = {}
    for setting, trainings in trained.items():
        networks = {
            blocks: Table(trainings.entropy(name, "test"), trainings.correct(name, "test"))
            for name, blocks in trainings.partitionings()
        }
        if networks:
            whole = Table(trainings.entropy("all", "profile"), trainings.correct("all", "profile"))
            found[setting] = against_trainings(whole, trainings.separate("profile"), networks, THRESHOLDS)
    return found


def published(folder: Path) -> dict[str, pd.DataFrame]:
    """Return, by network, how estimates compare with what its authors' test samples did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiercut.TiercutWarning)  # of the published rates, one of which falls with depth
        return {profile.name: compare(profile, rows) for profile, rows in cascades(folder)}


def table(rows: dict[str, pd.DataFrame]) -> str:
    """Return a table of errors in points of a percent."""
    lines = ["| network | against | estimator | points | slope | R² | bias | mean | worst | rates: mean | worst |"]
    lines.append("| --- | --- | --- " + "| ---: " * 8 + "|")
    for name, each in rows.items():
        for row in summary(each).itertuples():
            errors = (row.mean, row.worst, row.rate_mean, row.rate_worst)
            figures = " | ".join([f"{row.bias * 100:+.2f}", *(f"{error * 100:.2f}" for error in errors)])
            cells = f"{row.estimator} | {row.points} | {row.slope:.3f} | {row.r2:.3f} | {figures}"
            lines.append(f"| {name} | {row.truth} | {cells} |")
    return "\n".join(lines)


def published_inception(folder: Path) -> tiercut.Profile:
    """Return InceptionV3 as Scission's authors timed it, their cloud with a GPU as the reference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tiercut.TiercutWarning)  # of published times of 0
        profile = tiercut.load_profile(folder / "inception_v3.json")
    return profile.model_copy(update={"reference": "cloud-gpu"})


def inception(name: str, profile: tiercut.Profile) -> Iterator[str]:
    """Yield a line for each topology: how often the destination moves the quickest plan of InceptionV3."""
    for topology, group in destinations(profile, conditions()).groupby("topology", sort=False):
        first = group[group["IV"]].iloc[0]
        moved, alike, count = group["IV"].sum(), group["same cuts"].sum(), len(group)
        yield (
            f"- {name}, {topology}: the plan differs in {moved} of {count} conditions, in its placement alone "
            f"in {alike}; {first['condition']}: {first['plan']} becomes {first['other']}"
        )


def as_published(profile: tiercut.Profile) -> Iterator[str]:
    """Yield a table and lines of what the paper's fourth question comes to for a network with exits, and of its third.

    Asked of images as they are and as the network takes them, on ``iot`` as the paper has it, by its formula and, in
    the last two columns, by conditional accuracies.
    """
    yield (
        "| image | reference | questions | IV: moved | placement alone | as in the paper | III: backward "
        "| as in the paper | by *conditional*: IV as in the paper | III as in the paper |"
    )
    yield "| --- | --- " + "| ---: " * 8 + "|"
    shown = []
    for image, size in IMAGE_BYTES.items():
        seen = profile.model_copy(update={"input_bytes": size})
        for times in REFERENCES:
            under = [Condition("iot", reference=times)]
            rows, other = (third_and_fourth(seen, under, estimator=each) for each in ("marginal", "conditional"))
            counts = [rows[each].sum() for each in ("IV", "same cuts", "IV published", "III", "III published")]
            counts += [other[each].sum() for each in ("IV published", "III published")]
            yield f"| {image} | x{times:g} | {len(rows)} | " + " | ".join(map(str, counts)) + " |"
            shown += [f"- {image}, {line}" for line in _most(rows)]
    yield ""
    yield from shown


def _most(rows: pd.DataFrame) -> Iterator[str]:
    """Yield the question with the greatest gain of each of the two cases, where one is as in the paper."""
    for case in ("IV", "III"):
        for row in rows[rows[f"{case} published"]].nlargest(1, f"{case} gain").to_dict("records"):
            asked = f"{row['condition']}, accuracy ≥ {row['bound']:.4f}: {row['plan']}"
            gain = row[f"{case} gain"]
            if case == "IV":
                swapped = (
                    f"the first takes {gain:+.2%} for the last machine, the other {row['IV loss']:+.1%} for the device"
                )
                yield f"{asked} becomes {row['other']}; {swapped}"
            else:
                yield f"{asked}; the best forward plan takes {gain:+.2%}"


def sweep() -> dict[str, pd.DataFrame]:
    """Return the questions of the sweep with their answers, by network and estimator."""
    return {
        f"{name}, {estimator}": questions(tiercut.load_profile(file), conditions(), estimator=estimator)
        for name, file in PROFILES.items()
        for estimator in ("marginal", "conditional")
    }


def common(asked: dict[str, pd.DataFrame]) -> str:
    """Return a table of how common each case is."""
    lines = [
        "| network | topology | " + " | ".join(f"{case}: {name}" for case, name in CASES.items()) + " | questions |"
    ]
    lines.append("| --- | --- " + "| ---: " * (len(CASES) + 1) + "|")
    for name, rows in asked.items():
        for topology, row in shares(rows).iterrows():
            cells = " | ".join(f"{row[case]:.1%}" for case in CASES)
            lines.append(f"| {name} | {topology} | {cells} | {row['questions']:.0f} |")
    return "\n".join(lines)


def found(name: str, rows: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each case: the question on accuracy in which it saves most."""
    for case, row in examples(rows).items():
        plan = row["plan"]
        threshold = "" if plan.threshold is None else f", threshold {plan.threshold:g}"
        takes = f"{plan}{threshold}: {plan.latency_s * 1e3:.2f} ms"
        where = f"{row['condition']}, accuracy ≥ {row['bound']:.4f}"
        gain = f"without it {row[f'{case} gain']:+.1%}"
        if case == "IV":
            gain = f"for the last machine {row['other']}, and the first plan takes {row['IV gain']:+.1%}"
        yield f"- {case}, {name}: {where}: {takes}; {gain}"


if __name__ == "__main__":
    main()
