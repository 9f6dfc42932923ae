"""Why there is no plan: the nearest value that is named is the nearest that any plan has, and can be asked for."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from support.seeded.problems import random_case

import tiercut
from tiercut.optimizer.constraints import bound_value
from tiercut.optimizer.query import Bound, Query
from tiercut.optimizer.questions.bound_text import bound_of, shown

MEASURES = ("compute", "share", "blocks", "bytes", "latency", "link", "out")


def random_bound(rng: np.random.Generator, topology: tiercut.Topology) -> Bound:
    measure, nodes = str(rng.choice(MEASURES)), topology.node_names
    links = [">".join(way) for way in topology.hops]
    measure = "latency" if measure == "link" and not links else measure
    one, other = (str(name) for name in rng.choice(nodes, size=2))
    link = str(rng.choice(links)) if links else ""
    place = {"bytes": f"{one}>{other}", "latency": None, "link": link}.get(measure, one)
    value = {"share": rng.random(), "blocks": float(rng.integers(6))}.get(measure, float(rng.choice([0.0, 1e-3, 1.0])))
    return Bound(measure, place, **{str(rng.choice(["at_most", "at_least"])): float(value)})  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::tiercut.TiercutWarning")  # of exit rates that fall with depth, and of spans
@pytest.mark.parametrize("chunk", range(4))
def test_the_nearest_value_is_the_nearest_of_all_plans(chunk: int) -> None:
    named = 0
    for seed in range(chunk * 40, chunk * 40 + 40):
        case, rng = random_case([3, seed], blocks=5, nodes=3), np.random.default_rng(seed)
        topology, profile = tiercut.Topology.from_data(case.topology), tiercut.Profile.from_data(case.profile)
        bound = random_bound(rng, topology)
        query = Query(bounds=(bound,), exits=case.exits, order=case.order)
        answer = tiercut.ask(topology, profile, query)
        everything = tiercut.ask(topology, profile, replace(query, kind="rank", top=100_000, bounds=()))
        values = [bound_value(answer.space.problem, plan.decision, bound) for plan in everything]
        nearest = (min if bound.at_most is not None else max)(values, default=0.0)
        if answer.plans or not values:
            continue
        found = re.fullmatch(r"no plan (.+); the (least|greatest) (\S+) is (.+?) \(.+\)", answer.message)
        assert found is not None, answer.message
        assert found[1] == f"keeps {shown(bound)}" or found[1].startswith("takes at most ")
        sign = "<=" if bound.at_most is not None else ">="
        eased = bound_of(f"{bound.name}{sign}{found[4]}")
        limit = eased.at_most if eased.at_most is not None else eased.at_least
        assert limit == pytest.approx(nearest, rel=1e-3, abs=2e-8), answer.message
        assert tiercut.ask(topology, profile, replace(query, bounds=(eased,))).plans, answer.message
        named += 1
    assert named >= 3
