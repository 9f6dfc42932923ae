"""tiercut: where to cut a deep neural network, where samples may leave early, and which machine runs each piece.

>>> import tiercut
>>> answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9)
>>> print(answer.best)

Names are imported when they are first used, so that ``import tiercut`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercut.api import ask, explain, frontier, plan, problem, rank, replay, solve
    from tiercut.errors import InfeasibleError, InputError, QuestionError, TiercutError, TiercutWarning
    from tiercut.optimizer.answer import Answer
    from tiercut.optimizer.explain import Explanation
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.plots.plan_bars import add_bars_legend, bars_height, draw_plan_bars, plan_bars
    from tiercut.optimizer.pricing import price
    from tiercut.optimizer.problem import Problem
    from tiercut.optimizer.query import Bound, Query
    from tiercut.optimizer.query_file import QueryFile, load_query, ready_queries
    from tiercut.optimizer.reasons import Why
    from tiercut.optimizer.replay import Replay
    from tiercut.profiling.backbones import backbone
    from tiercut.profiling.configurations import fine_tune
    from tiercut.profiling.data import load_dataset
    from tiercut.profiling.exits import attach_exits
    from tiercut.profiling.files import load_profile, recorded, save_profile
    from tiercut.profiling.profile import Profile
    from tiercut.profiling.recording import exits_record, record_samples
    from tiercut.profiling.samples import Samples, load_samples, samples_of, save_samples
    from tiercut.profiling.trainer import Trained, Training, train_network
    from tiercut.profiling.training import Schedule
    from tiercut.reasoning import why
    from tiercut.solvers.options import Options
    from tiercut.topologies.loader import load_topology, ready_made
    from tiercut.topologies.schema import Topology

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Bound",
    "Explanation",
    "InfeasibleError",
    "InputError",
    "Options",
    "Plan",
    "Problem",
    "Profile",
    "Query",
    "QueryFile",
    "QuestionError",
    "Replay",
    "Samples",
    "Schedule",
    "TiercutError",
    "TiercutWarning",
    "Topology",
    "Trained",
    "Training",
    "Why",
    "add_bars_legend",
    "ask",
    "attach_exits",
    "backbone",
    "bars_height",
    "draw_plan_bars",
    "exits_record",
    "explain",
    "fine_tune",
    "frontier",
    "load_dataset",
    "load_profile",
    "load_query",
    "load_samples",
    "load_topology",
    "plan",
    "plan_bars",
    "price",
    "problem",
    "rank",
    "ready_made",
    "ready_queries",
    "record_samples",
    "recorded",
    "replay",
    "samples_of",
    "save_profile",
    "save_samples",
    "solve",
    "train_network",
    "why",
]

_HOMES = {
    "api": ("ask", "explain", "frontier", "plan", "problem", "rank", "replay", "solve"),
    "errors": ("InfeasibleError", "InputError", "QuestionError", "TiercutError", "TiercutWarning"),
    "optimizer.answer": ("Answer",),
    "optimizer.explain": ("Explanation",),
    "optimizer.plan": ("Plan",),
    "optimizer.plots.plan_bars": ("add_bars_legend", "bars_height", "draw_plan_bars", "plan_bars"),
    "optimizer.pricing": ("price",),
    "optimizer.problem": ("Problem",),
    "optimizer.query": ("Bound", "Query"),
    "optimizer.query_file": ("QueryFile", "load_query", "ready_queries"),
    "optimizer.reasons": ("Why",),
    "optimizer.replay": ("Replay",),
    "profiling.backbones": ("backbone",),
    "profiling.configurations": ("fine_tune",),
    "profiling.data": ("load_dataset",),
    "profiling.exits": ("attach_exits",),
    "profiling.files": ("load_profile", "recorded", "save_profile"),
    "profiling.profile": ("Profile",),
    "profiling.recording": ("exits_record", "record_samples"),
    "profiling.samples": ("Samples", "load_samples", "samples_of", "save_samples"),
    "profiling.trainer": ("Trained", "Training", "train_network"),
    "profiling.training": ("Schedule",),
    "reasoning": ("why",),
    "solvers.options": ("Options",),
    "topologies.loader": ("load_topology", "ready_made"),
    "topologies.schema": ("Topology",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tiercut' has no attribute '{name}'")
    return getattr(import_module(f"tiercut.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
