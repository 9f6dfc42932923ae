from .build import (
    build_problem as build_problem,
    coding_seconds as coding_seconds,
    device_of as device_of,
    piece_seconds as piece_seconds,
    rebuild_problem as rebuild_problem,
    warn_of_bare_spans as warn_of_bare_spans,
)
from .condition_names import (
    DOWN as DOWN,
    STRESS as STRESS,
    ConditionName as ConditionName,
    level_of as level_of,
    name_of as name_of,
)
from .conditions import Conditions as Conditions
from .constraints import (
    Constraint as Constraint,
    bound_value as bound_value,
    constraints_of as constraints_of,
)
from .frontier import (
    TOLERANCE as TOLERANCE,
    front_of as front_of,
    frontier_plans as frontier_plans,
    unbeaten as unbeaten,
    values_of as values_of,
)
from .itinerary import (
    Itinerary as Itinerary,
    Step as Step,
    itinerary as itinerary,
    stage_steps as stage_steps,
)
from .measures.busy import (
    busy_by_place as busy_by_place,
    occupancy as occupancy,
    rate_bounds as rate_bounds,
    servers as servers,
    servers_of as servers_of,
)
from .measures.kind import Moved as Moved
from .measures.moves import Number as Number, moved_by as moved_by
from .measures.names import (
    counts_whole as counts_whole,
    format_amount as format_amount,
    is_peak as is_peak,
    is_tail as is_tail,
    plain_amount as plain_amount,
    split_name as split_name,
)
from .measures.piece_table import PieceTable as PieceTable
from .measures.registry import kind_of as kind_of
from .measures.tables import Measure as Measure, measure as measure, plus as plus, scaled as scaled
from .measures.tails import quantile_of as quantile_of
from .measures.weighted import is_sum as is_sum, parts_of as parts_of
from .memory import (
    fits_memory as fits_memory,
    fitting as fitting,
    limits_memory as limits_memory,
    memory_needed as memory_needed,
    warn_of_memory as warn_of_memory,
    within_bounds as within_bounds,
)
from .own_plan import decide as decide, decide_again as decide_again
from .placement import narrow as narrow
from .plan import (
    NEGLIGIBLE as NEGLIGIBLE,
    Decision as Decision,
    Plan as Plan,
    Stage as Stage,
    exit_limits as exit_limits,
)
from .pricing import evaluate as evaluate, evaluate_tables as evaluate_tables, price as price
from .problem import (
    ANYWHERE as ANYWHERE,
    Estimator as Estimator,
    EstimatorChoice as EstimatorChoice,
    Floats as Floats,
    Problem as Problem,
)
from .query import SLACK as SLACK, Bound as Bound, Joint as Joint, Kind as Kind, Query as Query
from .questions.bound_text import nearest_limit as nearest_limit, shown as shown
from .questions.make_query import make_query as make_query, merged as merged
from .questions.query_file import QueryFile as QueryFile, load_query as load_query, ready_queries as ready_queries
from .questions.question_options import (
    Only as Only,
    Partitions as Partitions,
    QuestionOptions as QuestionOptions,
    Thresholds as Thresholds,
)
from .questions.settled import settled as settled, settling_text as settling_text
from .samples.estimators import (
    ESTIMATORS as ESTIMATORS,
    with_estimator as with_estimator,
    with_nested_hits as with_nested_hits,
)
from .samples.exit_shares import counted as counted, shares_of as shares_of
from .samples.intervals import (
    binomial_tail as binomial_tail,
    clopper_pearson as clopper_pearson,
    least_share as least_share,
    rank_of as rank_of,
    samples_needed as samples_needed,
    samples_to_show as samples_to_show,
)
from .samples.recorded import Recorded as Recorded
from .space import (
    NEVER as NEVER,
    PLAIN as PLAIN,
    Costs as Costs,
    Exits as Exits,
    Order as Order,
    Space as Space,
    admits as admits,
    make_space as make_space,
    plain_part as plain_part,
    without_idle_ends as without_idle_ends,
    without_repeats as without_repeats,
)
