"""The tables that kernels take are those of the problem, and not a second copy of hundreds of megabytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.made import problem_of, profile_data, topology_data

from tiercut.optimizer.measures.tables import measure
from tiercut.optimizer.problem import Problem
from tiercut.optimizer.space import make_space


@pytest.fixture
def problem() -> Problem:
    return problem_of(topology_data("only", []), profile_data([1.0, 2.0, 3.0], [8.0] * 4))


def test_kernels_take_the_very_tables_of_a_problem_which_nobody_else_may_change(problem: Problem) -> None:
    costs = make_space(problem).costs(measure(problem, "latency"))
    for mine, own in ((costs.span, problem.span_s), (costs.bare, problem.bare_s)):
        assert mine is own
        assert mine.tables.flags.writeable  # or every kernel would be compiled once more
        with pytest.raises(TypeError, match="item assignment"):
            own[0, 0, 0] = 1.0  # type: ignore[index]


def test_a_rule_for_pieces_leaves_the_tables_of_the_problem_alone(problem: Problem) -> None:
    space = make_space(problem)
    narrow = replace(space, allowed=np.zeros_like(space.allowed))
    assert np.isinf(narrow.costs(measure(problem, "latency")).span.whole).all()
    assert np.isfinite(problem.span_s.whole).all()
