"""Parts of spaces, as branching leaves them: solvers that know their structure held to trying every plan of a part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.proof import assert_same
from support.seeded.questions import priced, random_question

from tiercut.optimizer import Query, Space
from tiercut.solvers.interface import Options
from tiercut.solvers.joint.branches import Leaves, Runs, narrowed
from tiercut.solvers.registry import find, needs
from tiercut.solvers.task import make_task


def part(seed: int) -> tuple[Space, Query] | None:
    """Return a random part of a random question's space, and the question; None where it cannot be asked."""
    question = random_question(seed)
    if question is None:
        return None
    space, query = question
    rng = np.random.default_rng([21, seed])
    rules: list[Runs | Leaves] = [
        Runs(int(rng.integers(space.problem.block_count)), int(rng.integers(space.problem.node_count)), there)
        for there in rng.random(int(rng.integers(1, 4))) < 0.4
    ]
    if rng.random() < 0.3:
        last = int(rng.choice(space.threshold_indices))
        rules.append(Leaves(last, up_to=bool(rng.random() < 0.5)))
    made = narrowed(space, rules)
    if not len(made.threshold_indices) or not made.can_end.any():
        return None
    return made, replace(query, bounds=())


def assert_as_all(seed: int) -> bool:
    """Check labels on a part, where they can be asked; return whether they were, and there was a plan."""
    asked = part(seed)
    if asked is None:
        return False
    space, query = asked
    task = make_task(space, query)
    if not needs(task) <= find("labels").features:
        return False
    wanted = find("exhaustive").solve(task, Options(workers=1))
    got = find("labels").solve(task, Options(workers=1))
    assert got.status == wanted.status, (seed, query)
    assert_same(priced(space, got, query), priced(space, wanted, query), query, seed)
    return bool(wanted.decisions)


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_labels_find_the_best_plans_of_parts_of_spaces(first: int) -> None:
    assert sum(assert_as_all(seed) for seed in range(first, first + 100)) > 10
