#!/bin/sh
# ortools 9.15.6755, linear_solver with GLOP: once a column is added to a model that was solved, every value reads as 0.
#
# Column generation solves, adds a column, and may look at the last solution again. No error is raised then: values of
# the old columns are 0.0, with one line on stderr that the model has changed. That looks like a solution in which
# nothing is chosen. One would expect an error, or the last solution. Values have to be copied before anything is added.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ortools==9.15.6755 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
from ortools.linear_solver import pywraplp

solver = pywraplp.Solver.CreateSolver("GLOP")
chosen = solver.NumVar(0.0, 3.0, "chosen")
solver.Maximize(chosen)
print("solved", solver.Solve() == solver.OPTIMAL, chosen.solution_value())
solver.NumVar(0.0, 1.0, "new")
print("added", chosen.solution_value())
print("solved", solver.Solve() == solver.OPTIMAL, chosen.solution_value())
PYTHON
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
grep -q "model has been changed" "$folder/told" || { echo "CHANGED: nothing on stderr"; exit 1; }
case "$said" in
    "solved True 3.0
added 0.0
solved True 3.0") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
