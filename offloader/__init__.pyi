from .adaptive.asking import Solver as Solver
from .adaptive.bench import Bench as Bench, open_bench as open_bench
from .adaptive.run import run_adaptive as run_adaptive
from .agent.agent import Agent as Agent
from .agent.emulation import Emulation as Emulation
from .bundles.split import split_plan as split_plan
from .bundles.whole import split_whole as split_whole
from .deployment.files import check_beside as check_beside, write_deployment as write_deployment
from .disturbed.trace_file import (
    DisturbanceFile as DisturbanceFile,
    Moment as Moment,
    load_disturbances as load_disturbances,
    moments_of as moments_of,
)
from .links.kernel import enter_own_network as enter_own_network, has_own_network as has_own_network
from .local.processes import emulation_from as emulation_from
from .local.result import Run as Run, StageTimes as StageTimes
from .local.run import (
    RunOptions as RunOptions,
    run_local as run_local,
    run_with_agents as run_with_agents,
)
from .protocol.channels import check_grpc as check_grpc
from .protocol.tls import load_tls as load_tls
from .sources.result import JointRun as JointRun, SourceRun as SourceRun
from .sources.run import Sender as Sender, run_sources as run_sources
