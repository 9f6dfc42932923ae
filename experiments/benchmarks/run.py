"""Run the benchmarks and write results.md: ``python experiments/benchmarks/run.py [NAME ...] [--smoke]``.

Each case runs in a process of its own, so that its peak memory can be read; ratios are between rows of one case. Cases
that are named take the place of what results.json has of them, and the others stay.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from cases import CASES, Case  # noqa: E402


def main() -> None:
    """Read the call, run the cases one after the other, and write what they give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases to run; default: all")
    parser.add_argument("--smoke", action="store_true", help="the smallest sizes, to see that everything runs")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=HERE, help="folder of results.json and results.md")
    given = parser.parse_args()
    chosen = [case for case in CASES if not given.names or case.name in given.names]
    if given.one:
        print(json.dumps(run(chosen[0], smoke=given.smoke)))
        return
    store = given.output / "results.json"
    kept = json.loads(store.read_text(encoding="utf-8")) if store.exists() and not given.smoke else {}
    for case in chosen:
        kept[case.name] = apart(case, smoke=given.smoke)
        results = [kept[each.name] for each in CASES if each.name in kept]
        if not given.smoke:  # after each case, so that what was measured stays whatever happens to the next
            store.write_text(json.dumps({each["name"]: each for each in results}, indent=1) + "\n", encoding="utf-8")
            (given.output / "results.md").write_text(report(results), encoding="utf-8")
    print(report(results))


def run(case: Case, *, smoke: bool) -> dict[str, Any]:
    """Run one case here; memory is what the process grew by since everything was imported and compiled."""
    if not smoke:
        case.run(**case.smoke)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = case.run(**(case.smoke if smoke else case.full))
    unit = 1024 if sys.platform != "darwin" else 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit
    when = {"date": time.strftime("%Y-%m-%d"), "load": round(os.getloadavg()[0], 1)}
    return {"name": case.name, "about": case.about, "rows": rows, "memory_mb": round(grown / 1e6), **when}


def apart(case: Case, *, smoke: bool) -> dict[str, Any]:
    """Run one case in a process of its own."""
    call = [sys.executable, str(HERE / "run.py"), case.name, "--one", *(["--smoke"] if smoke else [])]
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def report(results: list[dict[str, Any]]) -> str:
    """Return the results as a table."""
    from importlib.metadata import version

    packages = ", ".join(f"{name} {version(name)}" for name in ("tiercut", "numba", "numpy", "ortools"))
    lines = [
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {packages}. "
        "Command: `python experiments/benchmarks/run.py`, some cases again by name. "
        "The load is that of the machine at the end of the case: above 2, other work took part of the cores.",
        "",
        "| case | by | decisions | seconds | CPU s | ratio | work | status | plans | memory grown | load |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    lines += [_line(result, row) for result in results for row in result["rows"]]
    return "\n".join(lines) + "\n"


def _line(result: dict[str, Any], row: dict[str, Any]) -> str:
    decisions = f"{row['decisions']:.3g}" if "decisions" in row else ""
    ratio = f"{row['ratio']:.3g}" if "ratio" in row else ""
    ratio = f"hypervolume {row['hypervolume']:.4f}" if "hypervolume" in row else ratio
    cpu = f"{row['cpu']:.3g}" if "cpu" in row else ""
    work = f"{row['work']:,}" if row.get("work") else ""
    cells = (
        *(result["name"], row["solver"], decisions, f"{row['seconds']:.4g}", cpu, ratio, work),
        *(row.get("status", ""), str(row.get("plans", "")), f"{result['memory_mb']:.0f} MB", f"{result['load']:.1f}"),
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
