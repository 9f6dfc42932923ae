"""The machine that is being timed: what it is, and what else it does meanwhile."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path

from tiercut.cpus import cpu_count

__all__ = ["Watch", "describe_machine"]


def describe_machine() -> str:
    """Return processor, cores, memory and system, but nothing that names the machine or its user."""
    cores = cpu_count()
    return f"{_processor()}, {cores} core{'s' * (cores != 1)}, {_memory()}, {platform.system()} {platform.machine()}"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return " ".join((found.group(1) if found else platform.processor() or "unknown processor").split())


def _memory() -> str:
    found = re.search(r"^MemTotal:\s*(\d+) kB$", _text("/proc/meminfo"), re.MULTILINE)
    return f"{int(found.group(1)) / 2**20:.0f} GiB memory" if found else "unknown memory"


class Watch:
    """How busy the machine is with other things, from the moment this is created."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self._machine = _busy_seconds()
        self._own = time.process_time()
        self._begin = time.monotonic()

    def figures(self) -> dict[str, float]:
        """Return the load average at the beginning and how many cores other processes have used since."""
        found = {} if self._load is None else {"average": round(self._load, 2)}
        machine = _busy_seconds()
        if self._machine is not None and machine is not None:
            others = machine - self._machine - (time.process_time() - self._own)
            found["other_cores"] = round(max(others, 0.0) / max(time.monotonic() - self._begin, 1e-9), 2)
        return found

    def describe(self) -> str:
        """Return those figures as text."""
        figures = self.figures()
        parts = [f"load average {figures['average']:.2f} before timing"] if "average" in figures else []
        if "other_cores" in figures:
            parts.append(f"{figures['other_cores']:.2f} cores busy with other things during it")
        return ", ".join(parts) or "load unknown"


def _busy_seconds() -> float | None:
    """Return the seconds that all CPUs together have been busy since the start, where the system tells."""
    found = re.match(r"cpu\s+((?:\d+\s+){7}\d+)", _text("/proc/stat"))
    if found is None:
        return None
    user, nice, system, _idle, _waiting, hard, soft, stolen = map(int, found.group(1).split())
    return (user + nice + system + hard + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
