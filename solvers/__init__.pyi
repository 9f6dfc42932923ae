from . import registry as registry
from .encoding import Layout as Layout, decision_of as decision_of
from .interface import Options as Options, Outcome as Outcome, Progress as Progress, Solver as Solver, Status as Status
from .joint.search import solve_jointly as solve_jointly
from .joint.task import (
    JointOutcome as JointOutcome,
    JointTask as JointTask,
    Limit as Limit,
    Room as Room,
    Shortage as Shortage,
    Stream as Stream,
)
from .task import Task as Task, make_task as make_task
from .warm_up import kernels_folder as kernels_folder
