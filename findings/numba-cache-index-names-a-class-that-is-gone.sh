#!/bin/sh
# numba 0.68.1: a cached kernel that took a named tuple cannot be called once the class has another name.
#
# The index of the cache is unpickled, types of the arguments included, before its stamp is compared with the source. So
# after an upgrade that renames the class, the file being newer does not help: every call ends in AttributeError until
# somebody removes the cache. One would expect what numba does for any other edit: to compile anew.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6
mkdir "$folder/here"
cd "$folder/here"

write() {
    cat > kernel.py <<PYTHON
from typing import NamedTuple

import numpy as np
from numba import njit


class $1(NamedTuple):
    values: np.ndarray


@njit(cache=True)
def total(tables):
    return tables.values.sum()


def call():
    return total($1(np.arange(4.0)))
PYTHON
}

write Tables
first=$("$folder/venv/bin/python" -c 'import kernel; print(kernel.call())')
sleep 1
write Costs
if second=$("$folder/venv/bin/python" -c 'import kernel; print(kernel.call())' 2>&1); then
    echo "CHANGED: the renamed class was compiled anew: $second"
    exit 1
fi
last=$(printf '%s\n' "$second" | tail -n 1)
echo "first call: $first"
echo "after the class was renamed: $last"
case "$first,$last" in
    6.0,AttributeError*Tables*) echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
