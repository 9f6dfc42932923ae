"""What of a question can be loosened or lifted, listed once for all that asks."""

from __future__ import annotations

from dataclasses import replace

from tiercut.analysis.relaxations import NO_RULES, relaxations, rules_of
from tiercut.optimizer.query import Bound, Query

RULES = Query(
    include=("a", "b"),
    exclude=("c",),
    use_all_tiers=True,
    fewest_partitions=2,
    most_partitions=3,
    pins=((1, "a"), (4, "b")),
    keep_first=1,
    order="forward",
)


def test_every_rule_is_listed_by_name_and_as_it_is_written() -> None:
    assert [(rule.name, rule.written) for rule in rules_of(RULES)] == [
        ("include a", "include a"),
        ("include b", "include b"),
        ("exclude c", "exclude c"),
        ("block 1 on a", "pin 1=a"),
        ("block 4 on b", "pin 4=b"),
        ("use all tiers", "use_all_tiers"),
        ("fewest partitions 2", "partitions 2-3"),
        ("most partitions 3", "partitions 2-3"),
        ("keep first 1", "keep_first 1"),
        ("order forward", "order forward"),
    ]


def test_without_its_rules_a_question_has_none() -> None:
    assert {key for rule in rules_of(RULES, memory=True) for key in rule.lifted} == set(NO_RULES)
    assert list(rules_of(replace(RULES, **NO_RULES), memory=True)) == []
    for rule in rules_of(RULES, memory=True):
        assert rule.name not in {each.name for each in rules_of(replace(RULES, **rule.lifted), memory=True)}


def test_each_side_of_a_bound_is_loosened_and_lifted_by_itself() -> None:
    bound = Bound("share", "a", at_most=0.95, at_least=0.5)
    most, least = relaxations(Query(bounds=(bound,)))
    assert (most.sense, most.loosened, least.sense, least.loosened) == ("at most", 1.0, "at least", 0.45)
    assert most.easier == Query(bounds=(replace(bound, at_most=1.0),))
    assert least.without == Query(bounds=(replace(bound, at_least=None),))
