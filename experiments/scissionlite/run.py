"""ScissionLite's study (Ahn et al., 2021, section IV), cut by cut: what the transfer layer gains, and where to cut.

``python experiments/scissionlite/run.py`` prints the table of README.md from the profiles beside it; ``--readme``
writes it there and draws the picture; ``--data FOLDER`` asks the same of the profiles in another folder, such as those
of the measurements that its authors published.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import tiercut
from tiercut import Plan, Profile, Topology

HERE = Path(__file__).parent
CODEC = "transfer-layer"
RATES = (30, 57, 60)
LATENCY = "28 ms"
SHOWN = 57
LEAST_CUT = 5
"""The paper's constraint for privacy: the split point is layer 5 or later (section 4.2)."""

FACTORS = {"device CPU": 14.9, "device GPU": 5.3, "edge CPU": 2.6, "edge GPU": 1.0}
"""Slowdowns that the published times of DenseNet169 show between the paper's machines: 0.389 s on the TX2's GPU,
0.190 s and 0.0738 s on the edge's CPU and GPU, and 16 / 5.7 between the TX2's CPU and GPU (figure 4). The core that
recorded the profiles stands for the edge's GPU."""

PUBLISHED = {"device GPU": "tx2-gpu", "edge CPU": "edge-titan-cpu", "edge GPU": "edge-ampere"}
PAIRS = tuple((device, edge) for device in ("device CPU", "device GPU") for edge in ("edge CPU", "edge GPU"))

BEGIN, END = "<!-- begin: run.py --readme writes this -->\n", "<!-- end -->\n"


@dataclass(frozen=True)
class Cut:
    """One cut of a network between two machines, in seconds.

    Parameters
    ----------
    layer
        The last layer before it.
    plain, coded
        The plan without the transfer layer and with it; None where it is not for this cut.
    """

    layer: int
    plain: Plan
    coded: Plan | None

    @property
    def gain_s(self) -> float | None:
        """The benefit of the transfer layer at this cut, equation 6: what sending takes without it and with it."""
        return None if self.coded is None else self.plain.stages[0].send_s - self.coded.stages[0].send_s


def topology(device: str, edge: str, rate: int, profile: Profile) -> Topology:
    """Return what `pair` describes."""
    return Topology.from_data(pair(device, edge, rate, profile))


def pair(device: str, edge: str, rate: int, profile: Profile) -> dict[str, object]:
    """Describe a device and an edge over the paper's link; machines of the profile, or slower ones than its own."""

    def node(name: str, tier: str) -> dict[str, object]:
        own = PUBLISHED.get(name)
        how: dict[str, object] = {"device": own} if own in profile.devices else {"slowdown": FACTORS[name]}
        return {"name": name.replace(" ", "-"), "tier": tier, **how}

    nodes = [node(device, "device"), node(edge, "edge")]
    names = [str(each["name"]) for each in nodes]
    link = {"between": names, "bandwidth": f"{rate} Mb/s", "latency": LATENCY}
    return {
        "format": "tiercut.topology/1",
        "name": "pair",
        "nodes": nodes,
        "links": [link],
        "source": names[0],
        "destination": "anywhere",
    }


def pairs(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield the pairs that a profile knows: of a published one those whose machines were measured."""
    published = set(PUBLISHED.values()) & set(profile.devices)
    for device, edge in PAIRS:
        if not published or {PUBLISHED.get(device), PUBLISHED[edge]} <= published:
            yield device, edge


def cuts(profile: Profile, where: Topology) -> list[Cut]:
    """Return every cut between the two machines."""
    count, names = profile.block_count, [node.name for node in where.nodes]
    sizes = profile.codecs[CODEC].bytes
    found = []
    for block in range(1, count):
        split = {"partition": [block, count], "placement": names}
        coded = tiercut.plan(where, profile, **split, codecs=[CODEC]) if sizes[block] is not None else None  # type: ignore[arg-type]
        last = profile.blocks[block - 1].last_layer
        found.append(Cut(block if last is None else last, tiercut.plan(where, profile, **split), coded))  # type: ignore[arg-type]
    return found


def best(found: list[Cut], *, coded: bool, least: int = 0) -> tuple[Cut, float]:
    """Return the quickest cut from a layer on, and its seconds."""
    taken = [
        (cut, plan.latency_s)
        for cut in found
        if cut.layer >= least and (plan := cut.coded if coded else cut.plain) is not None
    ]
    return min(taken, key=lambda each: each[1])


def alone_s(profile: Profile, where: Topology) -> float:
    """Return the seconds of the whole network on the device."""
    return tiercut.plan(where, profile, partition=[profile.block_count], placement=[where.nodes[0].name]).latency_s


def rows(name: str, profile: Profile) -> Iterator[str]:
    """Yield the lines of a network's table."""
    for device, edge in pairs(profile):
        for rate in RATES:
            where = topology(device, edge, rate, profile)
            found = cuts(profile, where)
            cells = [name, f"{device}, {edge}", f"{rate}", f"{1e3 * alone_s(profile, where):.0f}"]
            for least in (0, LEAST_CUT):
                plain, plain_s = best(found, coded=False, least=least)
                layered, layered_s = best(found, coded=True, least=least)
                cells += [f"{1e3 * plain_s:.0f} ({plain.layer})", f"{1e3 * layered_s:.0f} ({layered.layer})"]
                cells.append(f"{plain_s / layered_s:.2f}")
            gains = [cut.gain_s for cut in found if cut.gain_s is not None]
            cells.append(f"{1e3 * min(gains):.0f} to {1e3 * max(gains):.0f}")
            yield f"| {' | '.join(cells)} |"


def table(profiles: Mapping[str, Profile]) -> str:
    """Return the table of all networks."""
    head = (
        "network", "machines", "Mb/s", "device alone", "best cut", "with layer", "ratio", f"cut ≥ {LEAST_CUT}",
        "with layer", "ratio", "gain at a cut",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", f"| --- | --- | {' | '.join(['---:'] * (len(head) - 2))} |"]
    for name, profile in profiles.items():
        lines += rows(name, profile)
    return "\n".join(lines)


def draw(profiles: Mapping[str, Profile], path: Path) -> None:
    """Draw the latency of every cut of each network as a stack, with the layer and without, at 57 Mb/s."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(profiles), 2, figsize=(11, 2.4 * len(profiles)), squeeze=False, sharey="row")
    for row, (name, profile) in zip(axes, profiles.items(), strict=True):
        where = topology("device GPU", "edge GPU", SHOWN, profile)
        found = cuts(profile, where)
        for axis, coded in zip(row, (False, True), strict=True):
            _stack(axis, where, found, coded=coded)
            axis.set_title(f"{name}, {'with' if coded else 'without'} the transfer layer", fontsize=9, loc="left")
        row[0].set_ylabel("ms")
    figure.legend(*axes[0][0].get_legend_handles_labels(), fontsize=8, ncols=4, frameon=False, loc="upper center")
    for axis in axes[-1]:
        axis.set_xlabel("cut after layer")
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _stack(axis: object, where: Topology, found: list[Cut], *, coded: bool) -> None:
    shown = [(cut, plan) for cut in found if (plan := cut.coded if coded else cut.plain) is not None]
    places = range(len(shown))
    ends = [0.0] * len(shown)
    for words, colour, parts in _parts(where, shown, coded=coded):
        heights = [1e3 * each for each in parts]
        axis.bar(places, heights, bottom=ends, color=colour, label=words, width=0.85)  # type: ignore[attr-defined]
        ends = [end + each for end, each in zip(ends, heights, strict=True)]
    step = -(-len(shown) // 14)
    ticks = list(places)[::step]
    axis.set_xticks(ticks, [str(shown[place][0].layer) for place in ticks], fontsize=7)  # type: ignore[attr-defined]


def _parts(where: Topology, shown: list[tuple[Cut, Plan]], *, coded: bool) -> Iterator[tuple[str, str, list[float]]]:
    device, edge = where.nodes
    link = where.hops[device.name, edge.name]
    sends = [plan.stages[0].send_s for _, plan in shown]
    wires = [plan.stages[0].send_bytes / link.bandwidth + link.latency for _, plan in shown]
    yield "compute, device", "#5b7fa6", [plan.stages[0].compute_s for _, plan in shown]
    words = "codec and bytes" if coded else "to bytes and back"
    yield words, "#c98b3b", [max(send - wire, 0.0) for send, wire in zip(sends, wires, strict=True)]
    yield "link", "#b9b9b9", wires
    yield "compute, edge", "#7da87b", [plan.stages[1].compute_s for _, plan in shown]


def profiles_in(folder: Path) -> dict[str, Profile]:
    """Return the profiles in a folder that have a transfer layer, by name."""
    found = {path.stem: tiercut.load_profile(path) for path in sorted(folder.glob("*.json"))}
    return {name: each for name, each in found.items() if CODEC in each.codecs}


def main() -> None:
    """Print the table, or write it into README.md with its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="another folder of profiles with a transfer layer")
    parser.add_argument("--readme", action="store_true", help="write the table of the recorded profiles into README.md")
    arguments = parser.parse_args()
    profiles = profiles_in(arguments.data or HERE / "profiles")
    if not profiles:
        parser.error("no profile in this folder has a transfer layer among its codecs")
    text = table(profiles)
    if not arguments.readme:
        print(text)
        return
    readme = HERE / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}{text}\n{END}{after}", encoding="utf-8")
    (HERE / "images").mkdir(exist_ok=True)
    draw(profiles, HERE / "images" / "slices.png")


if __name__ == "__main__":
    main()
