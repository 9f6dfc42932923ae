"""Any bound with a proof: one constraint model for each threshold, solved by OR-tools' CP-SAT.

A plan is a path through the network of its threshold (`tiercut.solvers.cp_sat.decision_graph`); whatever is bounded is
a sum along it.

1. The labels solver, asked without the constraints, gives plans to begin with: those that hold them.
2. Bounds by dynamic programming (`tiercut.solvers.cp_sat.bounds`) leave out most arcs, and come across good plans.
3. Where few paths are left between these bounds and the best known, they are priced one by one. Else CP-SAT finds the
   best of what is left, and proves it (`tiercut.solvers.cp_sat.model`).

CP-SAT reckons in integers, so nothing rests on its word alone: every plan is priced again in floating point, one that
misses a bound is cut off, and all that may be as good as the best but for the rounding are listed and compared. With
more of these than are listed, an answer is the best but for the error of the scaling, 2^-44 of the largest number in a
measure for each step of the plan.

NOTE: one worker by default. It gives the same plan every time, and for models as small as step 2 leaves them it is the
quickest; several take turns at fixed points (`interleave_search`), which keeps their answers the same too.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from importlib import import_module
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tiercut.errors import QuestionError
from tiercut.solvers.base import BaseSolver, Found
from tiercut.solvers.cp_sat.model import build_model
from tiercut.solvers.cp_sat.search import Search, without_constraints
from tiercut.solvers.interface import Options
from tiercut.solvers.parallel import Ending, watch
from tiercut.solvers.registry import find
from tiercut.solvers.warm_up import tiny_tasks

if TYPE_CHECKING:
    from tiercut.solvers.task import Task

__all__ = ["CpSat", "export_model"]


class CpSat(BaseSolver):
    """The best plan under any constraints, the N best, or the frontier, with a proof.

    Workers are 1 by default; progress counts thresholds. It cannot be used in a process that has loaded TensorFlow
    before OR-tools.
    """

    name = "cp-sat"
    exact = True
    about = "proves the best under any bounds"
    features = frozenset(
        (
            "frontier",
            "rank",
            "free",
            "per-exit",
            "codec",
            "constraints",
            "bounded-rank",
            "whole",
            "tail",
            "leavers",
        )
    )

    def _load(self, task: Task) -> None:
        _check_company()
        import_module("ortools.sat.python.cp_model")
        _load_kernels()
        relaxed, labels = without_constraints(task), find("labels")
        if relaxed is not None and isinstance(labels, BaseSolver):
            # Here, with what hard thresholds may need besides, as the clock does not pause in the thread that asks it.
            labels._load(relaxed)
            if relaxed.front:
                import_module("tiercut.solvers.labels.solver").load_lines()

    def _search(self, task: Task, options: Options) -> Found:
        search = Search(task, options)
        ending = _watched(search)
        reason = ending if ending == Ending.INTERRUPTED else search.reason
        return Found(decisions=search.plans.answer(), reason=reason, scored=search.plans.scored)


@cache
def _load_kernels() -> None:
    search = Search(tiny_tasks()[0], Options())
    relaxed = search.relaxed(search.network(0), search.plans.goal, search.plans.caps)
    relaxed.search(lambda _: inf, 1)
    relaxed.paths(1, 1)


def _check_company() -> None:
    """Refuse where OR-tools would bring the process down: loaded after TensorFlow it ends in a segmentation fault."""
    if "tensorflow" in sys.modules and "ortools.sat.python.cp_model" not in sys.modules:
        raise QuestionError(
            "cp-sat cannot be used in a process that has loaded TensorFlow already: OR-tools crashes there; import "
            "ortools.sat.python.cp_model before TensorFlow, or ask in a process of its own"
        )


def export_model(task: Task, path: Path | str, index: int = 0) -> None:
    """Write the model of one threshold, no arc left out, as the text of a ``CpModelProto``.

    Parameters
    ----------
    task
        What is to be found.
    path
        File to write.
    index
        Index of the threshold.
    """
    _check_company()
    search = Search(task, Options())
    network = search.network(index)
    model = build_model(
        task.space, network, np.arange(len(network.tail)), search.plans.caps, objective=search.plans.goal, named=True
    )
    Path(path).write_text(str(model.cp.proto), encoding="utf-8")


def _watched(search: Search) -> Ending:
    """Run a search in a thread of its own, which can be stopped; return whether it was, and why."""
    stop = np.zeros(1, np.int64)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(search.run, stop)
        try:
            ending = watch(
                [running], [stop], search.options, lambda: (search.done, len(search.space.threshold_indices))
            )
        finally:
            stop[0] = 1
            while wait([running], timeout=0.02).not_done:
                search.halt()
    running.result()
    return ending
