"""The table and the figure of the study of live plans, of what its runs said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["draw", "kept", "table"]

_BELOW = 1e-3


def kept(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a run (``tiercut.run/1``) the study keeps; latencies to the microsecond."""
    found = {name: run[name] for name in ("frames", "answered", "same_as_uncut", "interval_s", "deadline_s")}
    found["latency_s"] = [None if each is None else round(each, 6) for each in run["frame_latency_s"]]
    adaptation = run.get("adaptation", {})
    asked = adaptation.get("asked", [])
    return found | {
        "disturbances": run["disturbances"],
        "moves": adaptation.get("moves", []),
        "sent_again": adaptation.get("sent_again", 0),
        "asked": {
            "before": sum(each["at_s"] < 0 for each in asked),
            "proved_s": [each["took_s"] for each in asked if each["at_s"] >= 0 and each["proved"]],
            "solved_s": [each["took_s"] for each in asked if each["at_s"] >= 0 and not each["proved"]],
        },
    }


def taken_ms(run: Mapping[str, Any]) -> np.ndarray:
    """Return the latency of every frame; of one that failed its deadline."""
    return 1e3 * np.array([run["deadline_s"] if each is None else each for each in run["latency_s"]])


def table(runs: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the results.

    Parameters
    ----------
    runs
        By kind, as `kept` made them; the first one is what others are held against.
    """
    head = ("", "answered", "mean", "of staying", "p50", "p95", "moves", "longest gap", "deciding", "switch")
    yield f"| {' | '.join(head)} |"
    yield "| --- " * len(head) + "|"
    first = float(taken_ms(next(iter(runs.values()))).mean())
    for kind, run in runs.items():
        taken = taken_ms(run)
        low, high = np.percentile(taken, [50, 95])
        gaps = [each["gap_s"] for each in run["moves"] if each["gap_s"] is not None]
        cells = (
            kind,
            f"{run['answered']} of {run['frames']}",
            f"{taken.mean():.1f} ms",
            f"{taken.mean() / first:.2f}",
            f"{low:.1f} ms",
            f"{high:.1f} ms",
            str(len(run["moves"])),
            f"{1e3 * max(gaps):.0f} ms" if gaps else "",
            _most(run, "deciding_s"),
            _most(run, "switch_s"),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "Deciding and switch: the longest of all moves."
    for kind, run in runs.items():
        asked = run["asked"]
        if asked["proved_s"] or asked["solved_s"]:
            yield ""
            proved, solved = asked["proved_s"], asked["solved_s"]
            yield (
                f"*{kind}*: the solver was asked {asked['before']} times before the first frame, and then "
                f"{len(proved)} times where what was solved before proved the answer ({_median(proved)}) and "
                f"{len(solved)} times where it had to solve ({_median(solved)}), beside the frames."
            )


def _most(run: Mapping[str, Any], name: str) -> str:
    found = max((each[name] for each in run["moves"]), default=None)
    if found is None:
        return ""
    return f"{1e6 * found:.0f} us" if found < _BELOW else f"{1e3 * found:.1f} ms"


def _median(seconds: list[float]) -> str:
    return f"median {1e3 * float(np.median(seconds)):.3g} ms" if seconds else "never"


def draw(runs: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw the latency of every frame over time, and when something was done to links and nodes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.7 * len(runs) + 0.5), layout="constrained")
    axes: Any = figure.subplots(len(runs), sharex=True, sharey=True, squeeze=False)[:, 0]
    for ax, (kind, run) in zip(axes, runs.items(), strict=True):
        due = np.arange(run["frames"]) * run["interval_s"]
        failed = np.array([each is None for each in run["latency_s"]])
        taken = taken_ms(run)
        ax.semilogy(due[~failed], taken[~failed], ".", markersize=2.5, color="#0072B2")
        ax.semilogy(due[failed], taken[failed], "x", markersize=4, color="#D55E00", label="failed")
        for each in run["disturbances"]:
            ax.axvline(each["at_s"], color="0.55", linewidth=0.8, linestyle=":")
        for place, each in enumerate(run["moves"]):
            ax.axvline(each["at_s"], color="#009E73", linewidth=1, label=None if place else "move")
        ax.set_ylabel("ms", fontsize=8)
        ax.set_title(kind, fontsize=9, loc="left")
        if failed.any() or run["moves"]:
            ax.legend(loc="upper left", fontsize=7)
    shown: dict[float, list[str]] = {}
    for each in next(iter(runs.values()))["disturbances"]:
        shown.setdefault(each["at_s"], []).append(f"{each['what']} {each['value']}".replace("camera-gateway", "link"))
    for at_s, what in shown.items():
        axes[0].annotate(
            "\n".join(what), (at_s, 1.02), xycoords=("data", "axes fraction"), fontsize=6, rotation=25, va="bottom"
        )
    axes[-1].set_xlabel("when the frame was due (s)")
    figure.savefig(path, dpi=150)
