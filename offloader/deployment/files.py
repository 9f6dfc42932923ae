"""All that stands beside the bundles of a plan, for others to serve it."""

from __future__ import annotations

import os
import pprint
import re
import shutil
from pathlib import Path
from typing import Any

from tiercut import documents
from tiercut.errors import InputError
from tiercut.offloader.bundles.split import Split
from tiercut.offloader.deployment.containers import DOCKERFILE, compose_text, kubernetes_text
from tiercut.offloader.deployment.kserve import kserve_text
from tiercut.offloader.deployment.measure import prediction_data
from tiercut.offloader.deployment.triton import WHOLE, write_triton
from tiercut.offloader.local.prediction import predicted
from tiercut.optimizer import Plan, build_problem, decide_again, price
from tiercut.profiling import Profile
from tiercut.topologies import Topology

__all__ = ["check_beside", "write_deployment"]

_FOREIGN = "was not written by tiercut split; name another folder"

_TRITON = "triton"
_BEGINNINGS = {
    "Dockerfile": "# An agent with the bundle of one partition.",
    "compose.yaml": "# All agents on one machine: docker compose up",
    "kubernetes.yaml": "# An agent for each partition. Say which machine",
    "kserve.yaml": "# A service for each partition, whose image",
    "measure.py": '#!/usr/bin/env python3\n"""Measure the deployment of ',
    f"{_TRITON}/{WHOLE}/config.pbtxt": f'name: "{WHOLE}"\n',
}
"""How what is written here begins."""

_MODEL = re.compile(rf"{WHOLE}|stage\d+.*-piece\d+")
_MEASURE = '''\
#!/usr/bin/env python3
"""Measure the deployment of {title}, and print it beside what was predicted.

    python measure.py --data SAMPLES.npz --agent HOST:PORT

The agents run already: by compose.yaml, by kubernetes.yaml, or started by hand. Needs tiercut[offload].
"""

from pathlib import Path

from tiercut.offloader.deployment.measure import measure_command

PREDICTED = {predicted}

if __name__ == "__main__":
    raise SystemExit(measure_command(Path(__file__).resolve().parent, PREDICTED))
'''


def check_beside(folder: Path) -> None:
    """Make sure that nothing of somebody else's stands where a deployment is to be written.

    Raises
    ------
    InputError
        If something does.
    """
    for name, beginning in _BEGINNINGS.items():
        path = folder / name
        if path.exists() and not _begins(path, beginning):
            raise InputError(os.fspath(path), _FOREIGN)
    models = folder / _TRITON
    if not models.exists():
        return
    try:
        names = sorted(each.name for each in models.iterdir())
    except OSError:
        raise InputError(os.fspath(models), _FOREIGN) from None
    for name in names:
        if not _MODEL.fullmatch(name) or not (models / name / "config.pbtxt").is_file():
            raise InputError(os.fspath(models / name), _FOREIGN)


def _begins(path: Path, beginning: str) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(beginning)) == beginning.encode()
    except OSError:
        return False


def write_deployment(plan: Plan, split: Split, topology: Topology, profile: Profile) -> tuple[Path, ...]:
    """Write beside the bundles of a plan what containers, Kubernetes, Triton and KServe take, and a script to measure.

    Parameters
    ----------
    plan, topology, profile
        What was split, and what it was made for.
    split
        Its bundles.

    Returns
    -------
    The files and the folder, in this order: ``Dockerfile``, ``compose.yaml``, ``kubernetes.yaml``, ``measure.py``, and
    where every piece has an ONNX file and nothing is encoded ``kserve.yaml`` and ``triton/``. What was written here
    before is written anew.

    Raises
    ------
    InputError
        If something cannot be written, or stands there already and was not written here.
    """
    folder, bundles = split.folders[0].parent, split.bundles
    check_beside(folder)
    names = [each.name for each in split.folders]
    memory = {node.name: node.memory for node in topology.nodes}
    problem = build_problem(topology, profile)
    decision = decide_again(problem, plan)
    said = prediction_data(predicted(problem, decision), split, price(problem, decision).accuracy)
    texts = {
        "Dockerfile": DOCKERFILE,
        "compose.yaml": compose_text(bundles, names, memory),
        "kubernetes.yaml": kubernetes_text(bundles, memory),
        "measure.py": _MEASURE.format(title=_safe(plan), predicted=pprint.pformat(said, width=100, sort_dicts=False)),
    }
    coded = any(each.codec or each.input_codec for each in bundles)
    plain = not coded and all("onnx" in piece.files for each in bundles for piece in each.pieces)
    if plain:
        texts["kserve.yaml"] = kserve_text(bundles)
    written = [folder / name for name in texts]
    for path, text in zip(written, texts.values(), strict=True):
        documents.write_text(path, text)
    repository = folder / _TRITON
    try:
        shutil.rmtree(repository, ignore_errors=True)
        if plain:
            write_triton(bundles, split.folders, repository)
            written.append(repository)
        else:
            (folder / "kserve.yaml").unlink(missing_ok=True)
    except OSError as error:
        raise InputError(os.fspath(repository), f"cannot be written: {error.strerror or error}") from None
    return tuple(written)


def _safe(text: Any) -> str:
    """Return a title as a docstring holds it."""
    return str(text).replace("\\", "/").replace('"', "'")
