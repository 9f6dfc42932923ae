"""Pictures: one function for each, which takes a result and ``ax=None`` and returns the axes that it drew on.

>>> import tiercut
>>> answer = tiercut.frontier("mobile", "resnet20-digits32")
>>> ax = tiercut.plots.trade_off(answer)
>>> tiercut.plots.save(ax.figure, "frontier.svg")

Pictures of several panels take the place of the axes that are given, and return the panels. Names are imported when
they are first used, so that matplotlib is needed only for drawing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiercut.analysis import frontier_behind
    from tiercut.report import (
        Picture,
        bars_height,
        bars_legend,
        draw as topology,
        plot_answer as answer,
        plot_latencies as latencies,
        plot_models as models,
        plot_plan_bars as plan_bars,
        plot_profile as profile,
        plot_region_map as region_map,
        plot_regions as regions,
        plot_replayed as replayed,
        plot_run as run,
        plot_sensitivity as sensitivity,
        plot_several_measures as several_measures,
        plot_time_line as time_line,
        plot_trade_off as trade_off,
        plot_waterfall as waterfall,
        plot_why as why,
        save,
    )

__all__ = [
    "Picture",
    "answer",
    "bars_height",
    "bars_legend",
    "frontier_behind",
    "latencies",
    "models",
    "plan_bars",
    "profile",
    "region_map",
    "regions",
    "replayed",
    "run",
    "save",
    "sensitivity",
    "several_measures",
    "time_line",
    "topology",
    "trade_off",
    "waterfall",
    "why",
]

_HOMES = {
    "Picture": "report.Picture",
    "answer": "report.plot_answer",
    "bars_height": "report.bars_height",
    "bars_legend": "report.bars_legend",
    "frontier_behind": "analysis.frontier_behind",
    "latencies": "report.plot_latencies",
    "models": "report.plot_models",
    "plan_bars": "report.plot_plan_bars",
    "profile": "report.plot_profile",
    "region_map": "report.plot_region_map",
    "regions": "report.plot_regions",
    "replayed": "report.plot_replayed",
    "run": "report.plot_run",
    "save": "report.save",
    "sensitivity": "report.plot_sensitivity",
    "several_measures": "report.plot_several_measures",
    "time_line": "report.plot_time_line",
    "topology": "report.draw",
    "trade_off": "report.plot_trade_off",
    "waterfall": "report.plot_waterfall",
    "why": "report.plot_why",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tiercut.plots' has no attribute '{name}'")
    home, _, attribute = _HOMES[name].rpartition(".")
    return getattr(import_module(f"tiercut.{home}"), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
