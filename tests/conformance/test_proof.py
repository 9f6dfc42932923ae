"""Every exact solver and the second scorer agree on random problems: some here, 10,000 in ``experiments/proof``."""

from __future__ import annotations

from collections import Counter

import pytest
from support.proof import SORTS, check

pytestmark = pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of spans, and of nodes that are cut off


@pytest.mark.parametrize("first", range(0, 140, 35))
def test_all_ways_to_an_answer_agree(first: int) -> None:
    counts: Counter[str] = sum((check(seed, slow=seed % 10 == 0) for seed in range(first, first + 35)), Counter())
    assert {sort for sort in SORTS if counts[f"problems with {sort}"]} >= {"any", "plain", "one block", "one node"}
    assert counts["no plan"]
    assert counts["questions with codecs"]
    assert counts["labels against the second scorer"] > 20
    assert counts["cp-sat with presolve against the second scorer"]
    assert counts["labels against exhaustive, with all that can be asked"]


@pytest.mark.slow
@pytest.mark.parametrize("first", range(140, 2140, 200))
def test_all_ways_to_an_answer_agree_on_many_problems(first: int) -> None:
    for seed in range(first, first + 200):
        check(seed, slow=seed % 10 == 0)
