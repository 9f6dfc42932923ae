"""What the study of the Joint model computes, on tables small enough to check."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from support.checkout import ROOT

import tiercut
import tiercut.profiling
from tiercut import Profile

sys.path.insert(0, str(ROOT / "experiments" / "joint"))

import assumptions
import brief
import drawing
import four_cases
import published
import record
import train
import trainings
import validation
from validation import Table

DIGITS = "resnet20-digits32"


def evaluation() -> Any:
    """Return the study's run.py, by a name that no other study's has."""
    spec = spec_from_file_location("joint_run", ROOT / "experiments" / "joint" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(samples: int, branches: int, seed: int = 0) -> Table:
    """Return a network that is surer and more often right the deeper it goes."""
    rng = np.random.default_rng(seed)
    depth = np.linspace(0.2, 0.9, branches)
    entropy = np.clip(rng.random((samples, 1)) * (1 - depth) + rng.normal(0, 0.1, (samples, branches)), 0, 1)
    return Table(entropy, rng.random((samples, branches)) < 1 - entropy)


def test_samples_leave_where_they_are_sure_first_and_all_at_the_end() -> None:
    entropy = np.array([[0.1, 0.0], [0.3, 0.1], [0.3, 0.9], [0.2, 0.1]])
    correct = np.array([[True, False], [False, True], [True, False], [True, True]])
    rates, accuracy = validation.replayed(Table(entropy, correct), 0.2)
    assert rates.tolist() == [0.25, 0.75]
    assert accuracy == 0.75


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), threshold=st.sampled_from([0.2, 0.5, 0.9]))
def test_replay_is_exact_on_what_was_recorded_and_conditional_wherever_no_branch_is_left_out(
    seed: int, threshold: float
) -> None:
    table = made(80, 4, seed)
    for blocks in ((1, 3), (2, 3, 4), (1, 2, 3, 4)):
        rates, accuracy = validation.replayed(table.of(blocks), threshold)
        said = validation.estimate(table, blocks, threshold, "replay")
        np.testing.assert_array_equal(said[0], rates)
        assert said[1] == accuracy
    rates, accuracy = validation.estimate(table, (1, 3), threshold, "conditional")
    np.testing.assert_allclose(rates, validation.replayed(table.of((1, 3)), threshold)[0], atol=1e-12)
    assert accuracy == pytest.approx(validation.replayed(table.of((1, 3)), threshold)[1])


@pytest.mark.parametrize("estimator", ["marginal", "conditional", "nested"])
def test_the_estimates_are_those_that_plans_are_found_with_and_replay_is_the_packages(estimator: str) -> None:
    profile = tiercut.load_profile("resnet20-clutter")
    samples = tiercut.samples_of(profile)
    table = Table(samples.entropy.astype(float), samples.correct)
    several = [plan for plan in tiercut.frontier("iot", profile, estimator=estimator) if len(plan.exits) > 1]
    assert len(several) > 10
    for plan in several[::3]:
        asked = table, plan.exits, plan.threshold
        rates, accuracy = validation.estimate(*asked, {"marginal": "marginal, joint"}.get(estimator, estimator))
        assert accuracy == pytest.approx(plan.accuracy, abs=1e-9)
        np.testing.assert_allclose(rates, [stage.exit_rate for stage in plan.stages], atol=1e-9)
        replayed = tiercut.replay("iot", profile, plan)
        rates, accuracy = validation.estimate(*asked, "replay")
        assert accuracy == pytest.approx(replayed.accuracy, abs=1e-9)
        np.testing.assert_allclose(rates, [each.exit_rate for each in replayed.exits], atol=1e-9)


def test_separate_accuracies_take_the_place_of_joint_ones() -> None:
    table, gain = made(50, 3), np.array([0.02, 0.0, -0.03])
    separate = table.correct.mean(axis=0) + gain
    rates, accuracy = validation.estimate(table, (1, 3), 0.5, "marginal, separate", separate)
    assert accuracy == pytest.approx(rates @ separate[[0, 2]])
    for name in ("marginal", "conditional"):
        more = validation.estimate(table, (1, 3), 0.5, f"{name}, separate", separate)[1]
        less = validation.estimate(table, (1, 3), 0.5, name if name == "conditional" else "marginal, joint")[1]
        assert more - less == pytest.approx(rates @ gain[[0, 2]])
    with pytest.raises(ValueError, match="trained by themselves"):
        validation.estimate(table, (1, 3), 0.5, "marginal, separate")


def test_a_summary_gives_line_and_errors_of_accuracies_and_rates() -> None:
    said, measured = np.array([0.2, 0.4, 0.6]), np.array([0.1, 0.2, 0.3])
    rows = pd.DataFrame({"predicted": said, "measured": measured, "truth": "made", "estimator": "some"})
    rows["predicted_rates"] = [np.array([0.5, 0.5])] * 3
    rows["measured_rates"] = [np.array([0.5, 0.5]), np.array([0.4, 0.6]), np.array([0.5, 0.5])]
    found = validation.summary(rows).iloc[0]
    assert found[["slope", "r2", "bias", "mean", "worst"]].tolist() == pytest.approx([0.5, 1, 0.2, 0.2, 0.3])
    assert found[["rate_mean", "rate_worst"]].tolist() == pytest.approx([0.2 / 6, 0.1])


def test_comparisons_have_a_row_for_everything_that_was_compared() -> None:
    whole, other, part = made(60, 4, 1), made(60, 4, 2), made(60, 2, 3)
    rows = validation.against_recording(whole, other, [0.3, 0.6], [(1, 3), (2, 3, 4)])
    assert len(rows) == 2 * 2 * 2 * 4
    exact = rows[(rows["estimator"] == "replay") & (rows["truth"] == "recorded")]
    assert (exact["predicted"] == exact["measured"]).all()
    trained = validation.against_trainings(whole, np.full(4, 0.5), {(1, 3): part}, [0.3, 0.6])
    assert len(trained) == 2 * len(validation.ESTIMATORS)
    partly = validation.against_trainings(whole, np.array([0.5, 0.5, np.nan, 0.5]), {(1, 3): part}, [0.3, 0.6])
    assert set(partly["estimator"]) == {"marginal, joint", "conditional", "nested", "replay"}
    assert trained["measured"].iloc[0] == validation.replayed(part, 0.3)[1]


def networks(*shift: float) -> list[assumptions.Network]:
    """Return networks whose branches are surer than those of the whole, by a power of the entropy each."""
    found = []
    for place, power in enumerate(shift):
        whole = made(400, 3, place)
        whole = Table(np.clip(whole.entropy, 1e-6, 1), whole.correct)
        blocks = ((1, 2, 3), (1, 2, 4), (1, 3, 4), (2, 3, 4))[place]
        found.append(assumptions.Network(blocks, Table(whole.entropy**power, whole.correct), whole))
    return found


def test_a_networks_own_entropies_and_hits_in_its_own_order_are_the_network() -> None:
    own, other = made(50, 3, 1), made(50, 3, 2)
    found = assumptions.in_order_of(own, own, hits=True)
    np.testing.assert_array_equal(found.entropy, own.entropy)
    np.testing.assert_array_equal(found.correct, own.correct)
    mixed = assumptions.in_order_of(other, own, hits=False)
    np.testing.assert_array_equal(np.sort(mixed.entropy, axis=0), np.sort(own.entropy, axis=0))
    np.testing.assert_array_equal(mixed.entropy.argsort(axis=0), other.entropy.argsort(axis=0))
    assert mixed.correct is other.correct
    both = assumptions.in_order_of(other, own, hits=True)
    assert both.correct.mean(axis=0).tolist() == own.correct.mean(axis=0).tolist()


def test_with_a_networks_own_entropies_its_rates_come_out_and_with_its_hits_its_accuracy() -> None:
    rows = assumptions.parts(networks(2.0, 3.0), [0.2, 0.4])
    found = validation.summary(rows).set_index("estimator")
    assert found["points"].tolist() == [4, 4, 4]
    assert found.loc["as recorded", "rate_mean"] > 0.02
    assert found.loc["own entropies", "rate_mean"] == pytest.approx(0, abs=1e-12)
    assert found.loc["own entropies and hits", "worst"] == pytest.approx(0, abs=1e-12)


def test_a_power_is_found_on_other_networks_and_corrects_what_is_sharper_by_it() -> None:
    made_sharper = {"made": networks(2.0, 2.0, 2.0, 2.0)}
    rows = assumptions.corrections(made_sharper, [0.2, 0.4, 0.6])["made"]
    assert set(rows["estimator"]) == {"sharpened"}  # no branch was trained by itself
    assert rows["by"].to_numpy() == pytest.approx(2.0, rel=0.03)
    assert validation.summary(rows)["rate_mean"].iloc[0] < 0.01
    odd = {"made": networks(2.0, 2.0, 2.0, 1.0)}
    powers = assumptions.corrections(odd, [0.2, 0.4, 0.6])["made"].groupby("partitioning")["by"].first()
    assert powers[2, 3, 4] == pytest.approx(2.0, rel=0.03)  # its own power is not known to it
    alone = assumptions.corrections({"few": networks(2.0)}, [0.5])
    assert alone == {}  # there is no other network
    few = assumptions.corrections({"few": networks(1.0), "more": networks(3.0, 2.0, 2.0, 2.0)}, [0.2, 0.4])
    assert few["few"]["by"].to_numpy() == pytest.approx(2.0, rel=0.03)  # of those with another partitioning


def test_branches_by_themselves_are_weighed_as_they_explain_the_rates_of_other_networks() -> None:
    some = networks(2.0, 2.0, 2.0, 2.0)
    with_alone = [assumptions.Network(each.blocks, each.own, each.whole, alone=each.own) for each in some[:-1]]
    rows = assumptions.corrections({"made": [*with_alone, some[-1]]}, [0.2, 0.4])["made"]
    blended = rows[rows["estimator"] == "blended"]
    assert blended["partitioning"].nunique() == 3
    assert blended["by"].to_numpy() == pytest.approx(1.0)
    assert validation.summary(blended)["rate_worst"].iloc[0] == pytest.approx(0, abs=1e-12)


def test_a_blend_lies_between_both_and_is_right_as_often_as_they_are_at_its_entropies() -> None:
    together, alone = made(2000, 2, 1), made(2000, 2, 2)
    network = assumptions.Network((1, 2), together, together, Table(alone.entropy**3, alone.correct))
    ends = [assumptions.blended(network, weight) for weight in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(ends[0].entropy, np.clip(together.entropy, 1e-6, 1))
    np.testing.assert_allclose(np.sort(ends[2].entropy, axis=0), np.sort(np.clip(alone.entropy**3, 1e-6, 1), axis=0))
    low, middle, high = (np.sort(each.entropy, axis=0) for each in ends)
    assert (middle >= np.minimum(low, high) - 1e-12).all()
    assert (middle <= np.maximum(low, high) + 1e-12).all()
    np.testing.assert_allclose(ends[0].correct.mean(axis=0), together.correct.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(ends[2].correct.mean(axis=0), alone.correct.mean(axis=0), atol=0.02)


def test_surer_answers_that_are_as_often_right_at_their_entropy_are_no_change_of_calibration() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.random((4000, 1)), rng.random((4000, 1)) ** 2
    tables = [Table(each, rng.random((4000, 1)) < 1 - each) for each in (before, after)]
    found = assumptions.sureness([assumptions.Network((1,), own=tables[1], whole=tables[0])])
    assert found["branches"] == 1
    assert found["entropy_own"] < found["entropy"] - 0.1
    assert found["accuracy_own"] > found["accuracy"] + 0.1
    assert found["accuracy_as_sure"] == pytest.approx(found["accuracy_own"], abs=0.03)
    assert found["off_as_sure"] == abs(found["accuracy_as_sure"] - found["accuracy_own"])


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_nested_hits_are_exact_where_nobody_or_everybody_leaves_early(threshold: float) -> None:
    exits = {
        "thresholds": [0.0, 1.0],
        "exit_rate_alone": [[0.0, 1.0], [1.0, 1.0]],
        "hit_rate_alone": [[0.0, 0.9], [0.6, 0.9]],
        "accuracy": [0.6, 0.9],
    }
    blocks = [{"name": name, "output_bytes": 10} for name in "ab"]
    data = {"format": "tiercut.profile/1", "model": "made", "input_bytes": 10, "blocks": blocks, "exits": exits}
    machines = [node.device or "" for node in tiercut.load_topology(published.CHAIN).nodes]
    profile = Profile.from_data(data | {"devices": {name: {"block_s": [1, 1]} for name in machines}}, source="made")
    rows = [
        {"partition": [1, 2], "threshold": threshold, "left_at_each": [5, 5], "correct": 6},
        {"partition": [1], "threshold": threshold, "left_at_each": [10], "correct": 6},
    ]
    found = published.compare(profile, rows).set_index("estimator").loc["nested", "predicted"]
    assert found.tolist() == pytest.approx([0.6 if threshold else 0.9, 0.6])


@pytest.fixture(scope="module")
def asked() -> pd.DataFrame:
    some = [four_cases.Condition("mobile"), four_cases.Condition("iot", 5, 10)]
    return four_cases.questions(tiercut.load_profile(DIGITS), some, count=6)


def test_every_plan_of_the_sweep_is_what_solving_its_question_gives(asked: pd.DataFrame) -> None:
    assert len(asked) == 2 * 2 * 6
    for row in asked.itertuples():
        topology = four_cases.Condition(row.topology, row.speed, row.bandwidth).load()
        bound = {"min_accuracy": row.bound} if row.kind == "accuracy" else {"max_latency": f"{row.bound} s"}
        objective = "latency" if row.kind == "accuracy" else "accuracy"
        best = tiercut.solve(topology, DIGITS, objective=objective, **bound).best
        assert (best.latency_s, best.accuracy) == pytest.approx((row.plan.latency_s, row.plan.accuracy), abs=1e-9)


def test_gains_of_the_sweep_are_what_the_same_question_without_a_freedom_loses(asked: pd.DataFrame) -> None:
    rules = {"I gain": {"exits": "final"}, "II gain": {"partitions": 1}, "III gain": {"order": "forward"}}
    for _, row in asked[asked["kind"] == "accuracy"][::2].iterrows():
        topology = four_cases.Condition(row["topology"], row["speed"], row["bandwidth"]).load()
        for name, rule in rules.items():
            other = tiercut.solve(topology, DIGITS, min_accuracy=row["bound"], **rule).best
            assert other.latency_s / row["plan"].latency_s - 1 == pytest.approx(row[name], abs=1e-9)


def test_a_plan_that_is_moved_by_the_destination_would_be_slower_there(asked: pd.DataFrame) -> None:
    moved = asked[asked["IV"]]
    assert not moved.empty
    assert (moved["IV gain"] > 0).all()
    for row in moved.itertuples():
        assert (row.other.partition, row.other.placement) != (row.plan.partition, row.plan.placement)


def test_the_destination_alone_moves_the_quickest_plan_of_a_network() -> None:
    plain = tiercut.load_profile(DIGITS).model_copy(update={"exits": None, "samples_file": None})
    row = four_cases.destinations(plain, [four_cases.Condition("iot")]).iloc[0]
    assert (row["plan"].partition, row["other"].partition) == ((10,), (10,))
    assert (row["plan"].placement, row["other"].placement) == (("micro",), ("global",))
    assert row["IV"]
    assert row["same cuts"]


def test_the_fourth_question_is_asked_for_both_ends_from_an_accuracy_on() -> None:
    conditions = [four_cases.Condition("iot", reference=3), four_cases.Condition("iot", 5, 10)]
    assert conditions[0].load().nodes[0].slowdown == pytest.approx(100 / 3)
    rows = four_cases.third_and_fourth(tiercut.load_profile(DIGITS), conditions, 0.9, estimator="marginal")
    assert rows["IV"].any()
    assert (rows["same cuts"] <= rows["IV"]).all()
    assert (rows["IV published"] <= rows["same cuts"]).all()
    assert (rows["III published"] <= rows["III"]).all()
    assert (rows["IV gain"] >= 0).all()
    assert not rows.duplicated(["condition", "plan"]).any()
    first = rows.drop_duplicates("condition")
    assert first["bound"].tolist() == [0.9, 0.9]
    for _, row in first.iterrows():
        condition = next(each for each in conditions if str(each) == row["condition"])
        for end, plan in ((None, row["plan"]), ("global", row["other"])):
            best = tiercut.solve(condition.load(end), DIGITS, min_accuracy=0.9, estimator="marginal").best
            # the other is asked for the accuracy of the plan, which may be more than the bound
            assert plan.latency_s >= best.latency_s - 1e-9
            assert end or plan.latency_s == pytest.approx(best.latency_s)


def test_inception_shows_the_papers_fourth_case_with_large_images_and_its_third_with_slow_machines() -> None:
    run = evaluation()
    profile = tiercut.load_profile(run.PROFILES["inception"])
    large = profile.model_copy(update={"input_bytes": run.IMAGE_BYTES["75x75"]})
    assert profile.input_bytes == run.IMAGE_BYTES["32x32"]
    rows = four_cases.third_and_fourth(large, [four_cases.Condition("iot")], 0.86, estimator="marginal")
    row = rows[rows["IV published"]].iloc[0]
    asked = {"min_accuracy": row["bound"], "estimator": "marginal"}
    ends = [tiercut.solve("iot", large, destination=end, **asked).best for end in ("raspberry", "global")]
    assert [plan.placement for plan in ends] == [("micro", "local"), ("micro", "global")]
    assert ends[0].partition == ends[1].partition
    slow = four_cases.Condition("iot", reference=0.3)
    rows = four_cases.third_and_fourth(profile, [slow], 0.86, estimator="marginal")
    row = rows[rows["III published"]].iloc[0]
    best, forward = (
        tiercut.solve(slow.load(), profile, min_accuracy=row["bound"], estimator="marginal", **rule).best
        for rule in ({}, {"order": "forward"})
    )
    assert best.placement == ("local", "micro")
    assert row["III gain"] > 0
    assert forward.latency_s / best.latency_s - 1 == pytest.approx(row["III gain"])


def test_shares_and_pictures_say_how_common_each_case_is(asked: pd.DataFrame) -> None:
    found = four_cases.shares(asked)
    assert found.index.tolist() == ["mobile", "iot"]
    assert found["questions"].tolist() == [12, 12]
    panels = drawing.heats(asked, "made")
    assert [len(row) for row in panels] == [4, 4]
    assert panels[0][0].share[0, 0] == pytest.approx(found.loc["mobile", "I"])
    assert len(drawing.draw_cases(panels).axes) == 8


def test_the_picture_of_the_validation_has_a_panel_for_each_estimator_and_one_for_rates() -> None:
    rows = validation.against_trainings(made(60, 4), np.full(4, 0.5), {(1, 3): made(60, 2)}, [0.3, 0.6])
    panels = drawing.clouds(rows, "made")
    assert [each.title for each in panels] == [f"made: {name}" for name in (*validation.ESTIMATORS, "exit rates")]
    assert len(panels[0].said) == 2
    assert len(panels[-1].said) == len(panels[-1].threshold) == 4
    assert len(drawing.draw_validation({"made": panels}).axes) == len(panels) + 1


def test_on_recorded_samples_replay_is_exact_and_conditional_errs_less_than_half_as_much_as_marginal() -> None:
    kept = trainings.Trainings.read(trainings.archive_of("clutter"))
    profile, test = (Table(kept.entropy("all", split), kept.correct("all", split)) for split in ("profile", "test"))
    rows = validation.against_recording(profile, test, [0.3, 0.6, 0.9], trainings.partitionings(8))
    mean = validation.summary(rows).set_index(["truth", "estimator"])["mean"]
    assert mean["recorded", "replay"] == 0
    for truth in ("recorded", "held out"):
        assert mean[truth, "conditional"] < mean[truth, "marginal, joint"] / 2


@pytest.mark.filterwarnings("ignore::tiercut.errors.TiercutWarning")  # of a published rate that falls with depth
@pytest.mark.parametrize(
    ("name", "marginal", "nested"),
    [("ResNet20/CIFAR10", (0.017, 0.067), (0.009, 0.014)), ("EfficientNetB0/ImageNet", (0.013, 0.048), (0.004, 0.013))],
)
def test_errors_of_the_published_estimates_come_out_and_ours_are_smaller(
    data_folder: Path, name: str, marginal: tuple[float, float], nested: tuple[float, float]
) -> None:
    profile, rows = next(pair for pair in published.cascades(data_folder / "joint") if pair[0].name == name)
    found = validation.summary(published.compare(profile, rows)).set_index("estimator")[["mean", "worst"]]
    assert tuple(found.loc["marginal"]) == pytest.approx(marginal, abs=6e-4)
    assert tuple(found.loc["nested"]) == pytest.approx(nested, abs=6e-4)


def test_the_recorded_profile_is_what_its_trainings_make(tmp_path: Path) -> None:
    kept = trainings.Trainings.read(trainings.archive_of("clutter"))
    made = record.record("clutter", kept, tmp_path)
    assert made == tiercut.load_profile("resnet20-clutter")
    assert tiercut.load_profile(tmp_path / "resnet20-clutter.json") == made
    some = trainings.Trainings({name: each for name, each in kept.arrays.items() if not name.startswith("3/")})
    assert record.record("clutter", some, tmp_path).exits.accuracy_separate is None
    assert made.exits.accuracy_separate is not None
    for block in range(1, 11):
        some = some.with_training(str(block), {"profile_correct": np.ones((1, 1)), "test_correct": np.ones((1, 1))})
    assert record.record("clutter", some, tmp_path).exits.accuracy_separate == [1.0] * 10


def test_a_profile_is_kept_with_entropies_in_half_precision_and_else_as_it_is(tmp_path: Path) -> None:
    recorded = Path(tiercut.profiling.__file__).parent / "recorded" / "inceptionv3half-clutter.json"
    profile = tiercut.load_profile(recorded)
    assert record.shrink(recorded, tmp_path) == profile  # which has them already
    samples = tiercut.samples_of(profile)
    exact = tiercut.Samples(np.clip(samples.entropy + 1e-5, 0, 1).astype(np.float32), samples.correct)
    (tmp_path / "exact").mkdir()
    files = record._saved("exact", exact, samples, tmp_path / "exact")
    tiercut.save_profile(profile.model_copy(update=files), tmp_path / "exact" / "exact.json")
    record.shrink(tmp_path / "exact" / "exact.json", tmp_path)
    again = tiercut.samples_of(tiercut.load_profile(tmp_path / "exact.json"))
    assert (again.entropy == exact.entropy.astype(np.float16)).all()
    assert (again.correct == exact.correct).all()


def test_a_study_that_is_not_done_is_evaluated_as_far_as_it_is(tmp_path: Path) -> None:
    run = evaluation()
    names = train.names(trainings.SETTINGS["clutter-settled"])
    some = trainings.Trainings({})
    for place, name in enumerate(names[:4]):  # all, a partitioning, the branch 8 alone, a partitioning
        blocks = range(10) if name == "all" else name.split("-")
        table = made(40, len(blocks), place)
        arrays = {
            f"{split}_{key}": getattr(table, key) for split in ("profile", "test") for key in ("entropy", "correct")
        }
        some = some.with_training(name, arrays | {"held_accuracy": np.linspace(0, 1, 9 + place)})
        some.write(trainings.archive_of("clutter-settled", tmp_path))
        trained = run.read_trainings(tmp_path)
        rows = run.specialised({"clutter-settled": trained["clutter-settled"]})
        assert len(rows.get("clutter-settled", ())) == [0, 80, 80, 160][place]  # four estimators need no branch alone
    lines = run.progress(trained).splitlines()
    assert lines[1] == (
        "- clutter-settled: all exits, 2 of 28 partitionings and 1 of 10 branches alone; 9 to 12 epochs, at most "
        "20, the last 5 brought 45.5 to 62.5 points"
    )
    assert lines[0].endswith("8 of 8 partitionings and 10 of 10 branches alone; 3 epochs, at most 3")
    assert "clutter-settled | exits 3, 4, 5, 8" in run.depth(trained)


def test_the_lines_in_short_have_the_figures_of_the_tables() -> None:
    some = networks(2.0, 3.0)
    whole = {each.blocks: each.own for each in some}
    estimates = validation.against_trainings(made(400, 4), None, whole, [0.2, 0.4])
    given = assumptions.parts(some, [0.2, 0.4])
    corrected = assumptions.corrections({"made": some}, [0.2, 0.4])["made"]
    first, errors, parts, *more = brief.in_short("made", some, estimates, given, corrected)
    assert "networks: 2; the last exit of each is better than the same branch among all by +0.0 points" in first
    figures = validation.summary(estimates).set_index("estimator")
    for name, row in figures.iterrows():
        assert f"*{name}* {row['mean'] * 100:.1f} ({row['bias'] * 100:+.1f})" in errors
    assert errors.endswith(f"least by *{figures['mean'].idxmin()}*")
    rates = validation.summary(given).set_index("estimator")["rate_mean"] * 100
    assert f"exit rates err by {rates['as recorded']:.2f}, given the branches' own entropies by 0.00" in parts
    assert [line.split("*")[1] for line in more] == ["sharpened"]
    assert len(list(brief.in_short("made", some, estimates, given, None))) == 3


def test_the_page_of_the_study_lists_what_is_recorded() -> None:
    run = evaluation()
    text = run.README.read_text(encoding="utf-8")
    trained = run.read_trainings(trainings.RECORDED)
    assert run.progress(trained) in text
    assert run.depth(trained) in text


def test_results_are_written_between_their_marks_and_nowhere_else() -> None:
    run = evaluation()
    text = (
        "before\n\n<!-- run.py --readme: A -->\n\nold\n\n<!-- end -->\n\n<!-- run.py --readme: B -->\nx\n<!-- end -->\n"
    )
    written = run.placed(text, {"A": "new"})
    assert written == text.replace("old", "new")
    assert run.placed(written, {"A": "new"}) == written
    with pytest.raises(ValueError, match="no place for 'C'"):
        run.placed(text, {"C": "new"})


def test_what_is_recorded_of_settled_networks_shows_which_assumption_breaks() -> None:
    run = evaluation()
    for networks_of in run.by_setting(run.read_trainings(trainings.RECORDED)).values():
        found = validation.summary(assumptions.parts(networks_of, [0.2, 0.5, 0.8])).set_index("estimator")
        assert found.loc["own entropies", "rate_mean"] < found.loc["as recorded", "rate_mean"] / 10
        assert found.loc["own entropies and hits", "mean"] < found.loc["as recorded", "mean"] / 2
