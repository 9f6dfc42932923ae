#!/bin/sh
# ortools 9.15.6755, CP-SAT: a model of five Booleans that has solutions is called infeasible, by default.
#
# Two constraints of at most one, and one sum with large weights and a limit on either side: 8 of the 32 assignments
# satisfy them in exact integers, and all weights together are less than 2^39. CP-SAT says INFEASIBLE, which is to be a
# proof that there is none. It finds a solution without presolve, without presolve's look for constraints that include
# each other, or if one of the eight is given to it. One would expect OPTIMAL. So ask once more without presolve before
# INFEASIBLE is believed.
#
# Known of other models: google/or-tools#5274 tells the same of this version and was closed; no newer version is out.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ortools==9.15.6755 numpy==2.4.6
cat > "$folder/ask.py" <<'PYTHON'
from itertools import product

from ortools.sat.python import cp_model

GROUPS = [(2, 3, 4), (0, 1)]
WEIGHTS = [97276592897, 117433318806, 62562644863, 68322296852, 56685342465]
LEAST, MOST = 84291927312, 281307451946


def admitted(row):
    total = sum(weight * value for weight, value in zip(WEIGHTS, row, strict=True))
    return LEAST <= total <= MOST and all(sum(row[i] for i in group) <= 1 for group in GROUPS)


def asked(fixed=None, **parameters):
    model = cp_model.CpModel()
    taken = [model.new_bool_var(f"taken{i}") for i in range(len(WEIGHTS))]
    for group in GROUPS:
        model.add(sum(taken[i] for i in group) <= 1)
    model.add_linear_constraint(cp_model.LinearExpr.weighted_sum(taken, WEIGHTS), LEAST, MOST)
    for variable, value in zip(taken, fixed or [], strict=False):
        model.add(variable == value)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    for name, value in parameters.items():
        setattr(solver.parameters, name, value)
    status = solver.solve(model)
    if status != cp_model.OPTIMAL:
        return solver.status_name(status)
    return f"{solver.status_name(status)} {admitted([solver.value(each) for each in taken])}"


rows = [row for row in product((0, 1), repeat=len(WEIGHTS)) if admitted(row)]
print("assignments that satisfy all", len(rows), "bits of all weights", sum(WEIGHTS).bit_length())
print("as it comes", asked())
print("no look for inclusion", asked(presolve_inclusion_work_limit=0))
print("no presolve", asked(cp_model_presolve=False))
print("each assignment given", {asked(row) for row in rows})
PYTHON
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "assignments that satisfy all 8 bits of all weights 39
as it comes INFEASIBLE
no look for inclusion OPTIMAL True
no presolve OPTIMAL True
each assignment given {'OPTIMAL True'}") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
