"""Plots in two steps: a pure function that gives the data to draw, and a thin one that draws on an axes."""

from tiercut.report.plots.latencies import draw_latencies, latencies_of, save_replay_plot
from tiercut.report.plots.plan_bars import PlanBars, add_bars_legend, bars_height, draw_plan_bars, plan_bars
from tiercut.report.plots.profile import draw_profile, save_profile_plot
from tiercut.report.plots.replayed import draw_lived, lived_plans, save_lived_plot
from tiercut.report.plots.several_measures import OverPlot, draw_over, over_plot
from tiercut.report.plots.trade_off import TradeOff, draw_trade_off, save_answer_plot, trade_off
from tiercut.report.plots.waterfall import draw_waterfall, save_waterfall
from tiercut.report.plots.why import save_why_plot

__all__ = [
    "OverPlot",
    "PlanBars",
    "TradeOff",
    "add_bars_legend",
    "bars_height",
    "draw_latencies",
    "draw_lived",
    "draw_over",
    "draw_plan_bars",
    "draw_profile",
    "draw_trade_off",
    "draw_waterfall",
    "latencies_of",
    "lived_plans",
    "over_plot",
    "plan_bars",
    "save_answer_plot",
    "save_lived_plot",
    "save_profile_plot",
    "save_replay_plot",
    "save_waterfall",
    "save_why_plot",
    "trade_off",
]
