from .compared.figures import read_compared as read_compared
from .compared.side_by_side import comparison_data as comparison_data, comparison_rows as comparison_rows
from .explorer.composing import write_report as write_report
from .explorer.content import Origin as Origin
from .explorer.gathering import gather as gather
from .models.picture import models_picture as models_picture, plot_models as plot_models
from .models.tables import models_parts as models_parts, models_remarks as models_remarks
from .pictures import (
    answer_picture as answer_picture,
    explanation_picture as explanation_picture,
    plot_answer as plot_answer,
    profile_picture as profile_picture,
    replay_picture as replay_picture,
    stream_picture as stream_picture,
    topology_picture as topology_picture,
    why_picture as why_picture,
)
from .plots.latencies import plot_latencies as plot_latencies
from .plots.plan_bars import bars_height as bars_height, bars_legend as bars_legend, plot_plan_bars as plot_plan_bars
from .plots.profile import plot_profile as plot_profile
from .plots.replayed import plot_replayed as plot_replayed
from .plots.run import plot_run as plot_run
from .plots.sensitivity import (
    plot_region_map as plot_region_map,
    plot_regions as plot_regions,
    plot_sensitivity as plot_sensitivity,
)
from .plots.several_measures import plot_several_measures as plot_several_measures
from .plots.time_line import plot_time_line as plot_time_line
from .plots.trade_off import plot_trade_off as plot_trade_off
from .plots.waterfall import plot_waterfall as plot_waterfall
from .plots.why import plot_why as plot_why
from .plots.zoom import Zoom as Zoom, zoom_of as zoom_of
from .replay import replay_tables as replay_tables
from .rows import Column as Column, Rows as Rows
from .runs.joint import joint_run_tables as joint_run_tables
from .runs.picture import run_picture as run_picture
from .runs.tables import run_tables as run_tables
from .safe_table import SafeTable as SafeTable
from .saving import Picture as Picture, check_ending as check_ending, save as save
from .sensitivity import sensitivity_picture as sensitivity_picture, sensitivity_tables as sensitivity_tables
from .shown import as_html as as_html, as_text as as_text
from .sources.tables import joint_parts as joint_parts, joint_remarks as joint_remarks
from .stream import stream_tables as stream_tables
from .sweeps.tables import sweep_tables as sweep_tables
from .tables import (
    answer_parts as answer_parts,
    profile_tables as profile_tables,
    remarks as remarks,
    table_from as table_from,
    waterfall_table as waterfall_table,
)
from .topology.drawing import draw as draw
from .topology.listing import text as text
from .tracking.mlflow_run import check_mlflow as check_mlflow, to_mlflow as to_mlflow
from .tracking.optuna_storage import check_optuna as check_optuna, to_optuna as to_optuna
from .why import need_tables as need_tables, why_tables as why_tables
