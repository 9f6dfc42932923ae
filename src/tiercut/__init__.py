"""tiercut: where to cut a deep neural network, where samples may leave early, and which machine runs each piece.

>>> import tiercut
>>> answer = tiercut.solve("mobile", "resnet20-digits32", min_accuracy=0.9)
>>> print(answer.best)

Names are imported when they are first used, so that ``import tiercut`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercut import plots
    from tiercut.analysis.answers.answer import Answer
    from tiercut.analysis.answers.answer_file import load_plans
    from tiercut.analysis.distribution import Distribution
    from tiercut.analysis.explain import Explanation
    from tiercut.analysis.replay import Replay
    from tiercut.analysis.why.result import Why
    from tiercut.analysis.why.study import why
    from tiercut.api import ask, explain, frontier, plan, problem, rank, replay, solve
    from tiercut.errors import InfeasibleError, InputError, QuestionError, TiercutError, TiercutWarning
    from tiercut.optimizer.conditions import Conditions
    from tiercut.optimizer.plan import Plan
    from tiercut.optimizer.pricing import price
    from tiercut.optimizer.problem import Problem
    from tiercut.optimizer.query import Bound, Query
    from tiercut.optimizer.questions.query_file import QueryFile, load_query, ready_queries
    from tiercut.profiling.data.datasets import load_dataset
    from tiercut.profiling.exits.configurations import fine_tune
    from tiercut.profiling.exits.exits import attach_exits
    from tiercut.profiling.exits.statistics import exits_record, record_samples
    from tiercut.profiling.exits.trainer import Trained, Training, train_network
    from tiercut.profiling.exits.training import Schedule
    from tiercut.profiling.models.backbones import backbone
    from tiercut.profiling.profile.files import load_profile, recorded, save_profile
    from tiercut.profiling.profile.samples import Samples, load_samples, samples_of, save_samples
    from tiercut.profiling.profile.schema import Profile
    from tiercut.solvers.interface import Options
    from tiercut.topologies.loader import load_topology, ready_made
    from tiercut.topologies.schema import Topology

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Bound",
    "Conditions",
    "Distribution",
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
    "ask",
    "attach_exits",
    "backbone",
    "exits_record",
    "explain",
    "fine_tune",
    "frontier",
    "load_dataset",
    "load_plans",
    "load_profile",
    "load_query",
    "load_samples",
    "load_topology",
    "plan",
    "plots",
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
    "analysis.answers.answer": ("Answer",),
    "analysis.answers.answer_file": ("load_plans",),
    "analysis.distribution": ("Distribution",),
    "analysis.explain": ("Explanation",),
    "optimizer.conditions": ("Conditions",),
    "optimizer.plan": ("Plan",),
    "optimizer.pricing": ("price",),
    "optimizer.problem": ("Problem",),
    "optimizer.query": ("Bound", "Query"),
    "optimizer.questions.query_file": ("QueryFile", "load_query", "ready_queries"),
    "analysis.why.result": ("Why",),
    "analysis.replay": ("Replay",),
    "profiling.models.backbones": ("backbone",),
    "profiling.exits.configurations": ("fine_tune",),
    "profiling.data.datasets": ("load_dataset",),
    "profiling.exits.exits": ("attach_exits",),
    "profiling.profile.files": ("load_profile", "recorded", "save_profile"),
    "profiling.profile.schema": ("Profile",),
    "profiling.exits.statistics": ("exits_record", "record_samples"),
    "profiling.profile.samples": ("Samples", "load_samples", "samples_of", "save_samples"),
    "profiling.exits.trainer": ("Trained", "Training", "train_network"),
    "profiling.exits.training": ("Schedule",),
    "analysis.why.study": ("why",),
    "solvers.interface": ("Options",),
    "topologies.loader": ("load_topology", "ready_made"),
    "topologies.schema": ("Topology",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "plots":
        return import_module("tiercut.plots")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tiercut' has no attribute '{name}'")
    return getattr(import_module(f"tiercut.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
