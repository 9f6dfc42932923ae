from .answering import ask as ask
from .answers.answer import Answer as Answer
from .answers.answer_file import SavedAnswer as SavedAnswer, load_answer as load_answer, load_plans as load_plans
from .answers.beside import best_beside as best_beside
from .answers.cloud import Cloud as Cloud, sample_cloud as sample_cloud
from .behind import frontier_behind as frontier_behind
from .certified.certificate import Certificate as Certificate
from .choose_by_replay import ReplayChoice as ReplayChoice
from .distribution import CONFIDENCE as CONFIDENCE, QUANTILES as QUANTILES, Distribution as Distribution
from .estimates import estimated as estimated, samples_beside as samples_beside
from .explain import Explanation as Explanation, explained as explained
from .inputs import (
    ProfileLike as ProfileLike,
    TopologyLike as TopologyLike,
    inputs_of as inputs_of,
    problem as problem,
    profile_of as profile_of,
    topology_of as topology_of,
)
from .keyword_types import ConditionKeywords as ConditionKeywords, Question as Question
from .models.answer import ModelsAnswer as ModelsAnswer
from .models.asking import ask_of_each as ask_of_each
from .replay import Replay as Replay, replay_decisions as replay_decisions
from .sensitivity.grid import sensitivity as sensitivity
from .sensitivity.grid_file import GridFile as GridFile
from .sensitivity.measured import measured_sensitivity as measured_sensitivity
from .sensitivity.policy import Policy as Policy, load_policy as load_policy
from .sensitivity.region_map import RegionMap as RegionMap
from .sensitivity.result import Influence as Influence, Sensitivity as Sensitivity
from .solver_options import SolverOptions as SolverOptions
from .sources.answer import JointAnswer as JointAnswer
from .sources.asking import ask_of_sources as ask_of_sources
from .sources.calling import solve_sources as solve_sources
from .stream.feeds import simulate_plans as simulate_plans
from .stream.question import Drop as Drop, StreamQuestion as StreamQuestion, Times as Times
from .stream.result import Stream as Stream
from .stream.steadiness import Latencies as Latencies
from .stream.time_line import drops_of as drops_of, slices_of as slices_of
from .stream.waits import Timed as Timed, waits_of as waits_of
from .sweeps.run_sweep import Swept as Swept, sweep as sweep
from .sweeps.sweep_file import SweepFile as SweepFile
from .warm.resolver import Resolver as Resolver
from .why.needed import FURTHEST as FURTHEST, Need as Need, needed as needed
from .why.result import (
    Effect as Effect,
    Sweep as Sweep,
    Why as Why,
    format_value as format_value,
    label as label,
)
from .why.study import why as why
