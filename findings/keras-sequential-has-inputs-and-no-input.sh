#!/bin/sh
# keras 3.15.1: a Sequential whose input is known has `inputs` and no `input`, before it is called and after.
#
# A functional model of the same layers has both. So code that packs what a model takes by the structure of
# `model.input` ends in AttributeError ("has never been called") for a
# Sequential that was built, or read from a .keras file, and even for one that was called. One would expect one face for
# both sorts of model.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 numpy==2.4.6 jax==0.10.2
cat > "$folder/ask.py" <<'PYTHON'
import keras


def ask(model):
    try:
        return model.input.shape
    except AttributeError as error:
        return f"AttributeError: {error}"


layers = [keras.Input((4,)), keras.layers.Dense(3)]
sequence = keras.Sequential(layers)
print("inputs", len(sequence.inputs))
print("built", ask(sequence))
sequence(keras.ops.ones((1, 4)))
print("called", ask(sequence))
entry = keras.Input((4,))
print("functional", ask(keras.Model(entry, keras.layers.Dense(3)(entry))))
PYTHON
export KERAS_BACKEND=jax
said=$("$folder/venv/bin/python" "$folder/ask.py" 2>"$folder/told") || { cat "$folder/told" >&2; exit 1; }
printf '%s\n' "$said"
case "$said" in
    "inputs 1
built AttributeError: "*"has never been called"*"
called AttributeError: "*"has never been called"*"
functional (None, 4)") echo "as described" ;;
    *) echo "CHANGED"; exit 1 ;;
esac
