"""Hold every exact solver to the others on random problems: ``python experiments/proof/run.py [--problems N]``.

Each seed is a problem with random questions, answered by labels, by trying everything, by a second scorer in plain
Python that reads the files and not the tables, and, every tenth, by cp-sat without presolve and with it; the code
stands in ``tests/support/proof.py``. What was done is kept in results.json after every hundred problems, and goes on
from there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from support.proof import check  # noqa: E402

from tiercut import TiercutWarning  # noqa: E402

TENTH, CHUNK = 10, 100


def main() -> None:
    """Check problems until there are as many as are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with; another needs another --output")
    parser.add_argument("--problems", type=int, default=10_000, help="seed before which to end")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    given = parser.parse_args()
    warnings.simplefilter("ignore", TiercutWarning)
    state = json.loads(given.output.read_text(encoding="utf-8")) if given.output.exists() else {"seeds": given.first}
    while state["seeds"] < given.problems:
        began, counts = time.perf_counter(), Counter(state.get("counts", {}))
        last = min(state["seeds"] + CHUNK, given.problems)
        for seed in range(state["seeds"], last):
            try:
                counts += check(seed, slow=seed % TENTH == 0)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error
        seconds = state.get("seconds", 0.0) + time.perf_counter() - began
        state = {"seeds": last, "seconds": round(seconds, 1), "counts": dict(sorted(counts.items()))}
        given.output.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(state, indent=1))


if __name__ == "__main__":
    main()
