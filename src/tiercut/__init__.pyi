from . import plots as plots
from .analysis import (
    Answer as Answer,
    Distribution as Distribution,
    Explanation as Explanation,
    JointAnswer as JointAnswer,
    ModelsAnswer as ModelsAnswer,
    Policy as Policy,
    Replay as Replay,
    Resolver as Resolver,
    Sensitivity as Sensitivity,
    Stream as Stream,
    Swept as Swept,
    Why as Why,
    load_plans as load_plans,
    load_policy as load_policy,
    measured_sensitivity as measured_sensitivity,
    needed as needed,
    sensitivity as sensitivity,
    solve_sources as solve_sources,
    sweep as sweep,
    why as why,
)
from .api import (
    ask as ask,
    explain as explain,
    frontier as frontier,
    plan as plan,
    problem as problem,
    rank as rank,
    replay as replay,
    save_report as save_report,
    simulate as simulate,
    solve as solve,
)
from .errors import (
    InfeasibleError as InfeasibleError,
    InputError as InputError,
    QuestionError as QuestionError,
    StoppedError as StoppedError,
    TiercutError as TiercutError,
    TiercutWarning as TiercutWarning,
)
from .offloader import Bench as Bench, open_bench as open_bench
from .optimizer import (
    Bound as Bound,
    Conditions as Conditions,
    Plan as Plan,
    Problem as Problem,
    Query as Query,
    QueryFile as QueryFile,
    load_query as load_query,
    price as price,
    ready_queries as ready_queries,
)
from .profiling import (
    Profile as Profile,
    Samples as Samples,
    Schedule as Schedule,
    Trained as Trained,
    Training as Training,
    attach_exits as attach_exits,
    backbone as backbone,
    configuration as configuration,
    exits_record as exits_record,
    fine_tune as fine_tune,
    load_dataset as load_dataset,
    load_profile as load_profile,
    load_samples as load_samples,
    record_samples as record_samples,
    recorded as recorded,
    samples_of as samples_of,
    save_profile as save_profile,
    save_samples as save_samples,
    train_jointly as train_jointly,
    train_network as train_network,
)
from .report.tracking.mlflow_run import to_mlflow as to_mlflow
from .report.tracking.optuna_storage import to_optuna as to_optuna
from .solvers import Options as Options
from .topologies import Topology as Topology, load_topology as load_topology, ready_made as ready_made

__version__: str
