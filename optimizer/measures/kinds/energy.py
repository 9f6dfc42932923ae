"""``energy``: the expected joules of nodes that compute or wait, and of radios that send.

A node draws its power while it computes, and its idle power, where it has one, for the rest of the time that a sample
takes, wherever the sample is meanwhile: a phone that waits for an answer waits whether or not it runs a part. What is
sent over a link costs the node that sends it the energy that the link takes for a byte, also where it only passes on
what others send. The energy of the whole plan is that of all nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiercut.optimizer.measures.kind import MeasureKind, Moved, MovedBy, Scope
from tiercut.optimizer.measures.places import PLAN_OR_PLACE
from tiercut.optimizer.measures.quantity import ENERGY

if TYPE_CHECKING:
    from tiercut.optimizer.measures.tables import Measure
    from tiercut.optimizer.problem import Floats

__all__ = ["KIND"]


def _tables(scope: Scope) -> Measure:
    from dataclasses import replace

    import numpy as np

    from tiercut.optimizer.measures.kinds import latency
    from tiercut.optimizer.measures.local import crossing, pieces, unknown
    from tiercut.optimizer.measures.tables import plus, scaled

    problem, here = scope.problem, _here(scope)
    idle = problem.idle_power * here
    # While one node computes, all others wait.
    watts = (_given(problem.power, here) + (1.0 - np.eye(len(idle))) @ idle)[:, None, None]
    tables = pieces(problem, problem.span_s.whole * watts, problem.bare_s.whole * watts)
    if idle.any():
        waiting = scaled(latency.KIND.tables(scope), float(idle.sum()))
        tables = replace(waiting, span=tables.span, bare=tables.bare)
    hops = {} if problem.network is None else problem.network.hops
    names = {name for name, inside in zip(problem.nodes, here, strict=True) if inside}
    radios = {ends: hop.energy for ends, hop in hops.items() if hop.energy and ends[0] in names}
    if radios:
        tables = plus(tables, crossing(problem, radios))
    return replace(tables, unknown=unknown(problem, _given(problem.power, here), "power", "energy"))


def _here(scope: Scope) -> Floats:
    """Return M: 1 for the nodes that count, all where no place is named."""
    import numpy as np

    from tiercut.optimizer.measures.local import place_of

    inside: Floats = (
        place_of(scope.problem, scope.place).astype(float) if scope.place else np.ones(len(scope.problem.nodes))
    )
    return inside


def _given(values: Floats, here: Floats) -> Floats:
    """Return the values of the nodes that count, and 0 for all others."""
    import numpy as np

    kept: Floats = np.where(here > 0, values, 0.0)
    return kept


def _moved_by(scope: Scope) -> MovedBy:
    here = _here(scope)
    waits = bool((scope.problem.idle_power * here).any())
    hops = {} if scope.problem.network is None else scope.problem.network.hops
    radios = any(hop.energy for hop in hops.values())
    link = Moved.ALWAYS if waits else Moved.ROUTES if radios else Moved.NEVER
    slow = Moved.ON_NODE if scope.place and not waits else Moved.ALWAYS
    return MovedBy(bandwidth=link, latency=link, slowdown=slow)


KIND = MeasureKind(
    name="energy",
    about="expected joules: `power` while a node computes (needed of every node that may), its `idle_power` for the "
    "rest of the time that a sample takes, and the `energy` that links take for a byte, from the node that sends",
    example="energy:watch<=200 mJ",
    quantity=ENERGY,
    places=PLAN_OR_PLACE,
    tables=_tables,
    moved_by=MovedBy(bandwidth=Moved.ALWAYS, latency=Moved.ALWAYS, slowdown=Moved.ALWAYS),
    moved_in=_moved_by,
)
