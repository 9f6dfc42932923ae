"""Profiles of one model, recorded on different machines, as one."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tiercut import documents
from tiercut.errors import InputError, QuestionError, TiercutWarning
from tiercut.profiling.profile.files import load_profile, save_profile
from tiercut.profiling.profile.schema import FORMAT, Block, Profile

__all__ = ["check_same_model", "difference", "merge", "merge_files", "replaced", "with_codecs"]


_SAMPLES = ("samples_file", "test_samples_file")
_HASHES = ("samples_sha256", "test_samples_sha256")
_WEIGHED = ("bytes", "bytes_p99", "accuracy_drop", "agreement", "samples")
"""What is measured of a codec once, not by device."""

_CODEC_ROUNDING = 0.02
"""How far bytes (as a share) and accuracies of one codec may lie apart on two machines."""

_OF_EXITS = ("exits", "dataset", "classes", "samples", "origin", *_SAMPLES, *_HASHES)


def merge(profiles: Mapping[str, Profile]) -> Profile:
    """Return one profile with the devices and codecs of all; nothing that was measured is overwritten.

    Parameters
    ----------
    profiles
        By what to call each in an error, such as its file; at least one. What only some of them know (exits,
        accuracy, the data set) comes from the first that does.

    Raises
    ------
    InputError
        If they are not of one model with one list of blocks, or say different things of one device, codec or
        exit.
    """
    (first_name, first), *others = profiles.items()
    data = first.model_dump(exclude_defaults=True)
    for name, other in others:
        check_same_model(first, other, names=(first_name, name))
        added = other.model_dump(exclude_defaults=True)
        data["devices"] = _joined(data["devices"], added["devices"], "device", name)
        data["codecs"] = _codecs(data.get("codecs", {}), added.get("codecs", {}), name)
        for key in ("dataset", "classes", "samples", "accuracy", "exits", "result_bytes", *_SAMPLES, *_HASHES):
            data[key] = _agreed(key, data.get(key), added.get(key), name)
        for key in ("architecture", "rule", "reference", "origin"):
            data[key] = data.get(key) or added.get(key)
    if data.get("reference") is None:
        data["reference"] = first.reference_device
    return Profile.from_data(
        {"format": FORMAT} | {key: value for key, value in data.items() if value not in (None, {})},
        source=" + ".join(profiles),
    )


def replaced(known: Profile, fresh: Profile, *, names: tuple[str, str]) -> Profile:
    """Return a profile with the devices of another one added, in place of those of the same name.

    Where the other one has exits, they and their samples take the place of those that are there.

    Raises
    ------
    InputError
        If they are not of one model with one list of blocks.
    """
    check_same_model(known, fresh, names=names)
    other_exits = None not in (known.exits, fresh.exits) and known.exits != fresh.exits
    if other_exits and known.codecs:
        warnings.warn(
            TiercutWarning(
                f"{names[0]}: its codecs ({', '.join(known.codecs)}) are left out: they were measured with other exits",
                "measure them again with --codecs",
            ),
            stacklevel=2,
        )
        known = known.model_copy(update={"codecs": {}})
    data, added = known.model_dump(exclude_defaults=True), fresh.model_dump(exclude_defaults=True)
    known_before = {key: added[key] for key in ("architecture", "rule") if key in added}
    devices = data["devices"] | added["devices"]
    exits = {key: added[key] for key in _OF_EXITS if key in added} if "exits" in added else {}
    return Profile.from_data(known_before | {"format": FORMAT} | data | exits | {"devices": devices}, source=names[0])


def with_codecs(profile: Profile, fresh: Mapping[str, Mapping[str, Any]]) -> Profile:
    """Return a profile with codecs added: what was measured now takes the place of the same that was there.

    Parameters
    ----------
    profile
        The profile.
    fresh
        By codec what a profile says of it, or only the times of a device.
    """
    data = profile.model_dump(exclude_defaults=True)
    known = data.get("codecs", {})
    for name, codec in fresh.items():
        before = known.get(name, {})
        times = {key: before.get(key, {}) | codec.get(key, {}) for key in ("encode_s", "decode_s")}
        known[name] = before | dict(codec) | times
    return Profile.from_data(data | {"format": FORMAT, "codecs": known}, source=profile.name)


def merge_files(paths: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str]) -> Profile:
    """Merge profiles into a file, and put the samples that they name beside it.

    Raises
    ------
    QuestionError
        If there are fewer than two, or the output is no ``*.json``.
    InputError
        If a file cannot be read or they do not belong together; then nothing is written.
    """
    target = Path(output)
    if len(paths) < 2:
        raise QuestionError("name at least two profiles to merge")
    if target.suffix != ".json":
        raise QuestionError(f"a profile is a .json file, not '{target}'")
    profiles = {os.fspath(path): load_profile(path) for path in paths}
    merged = merge(profiles)
    for key in _SAMPLES:
        name = getattr(merged, key)
        if name is not None:
            home = next(Path(path) for path, each in profiles.items() if getattr(each, key) == name)
            _keep_samples(home.with_name(name), target.with_name(name))
    save_profile(merged, target)
    return merged


def _keep_samples(source: Path, target: Path) -> None:
    if source.exists() and not (target.exists() and target.samefile(source)):
        data = source.read_bytes()
        if target.exists() and target.read_bytes() != data:
            raise InputError(os.fspath(target), f"this file of samples is another than {source}; move one of them away")
        documents.write_whole(target, lambda stream: stream.write(data))


def check_same_model(first: Profile, other: Profile, *, names: tuple[str, str]) -> None:
    """Refuse a profile whose times are those of other blocks.

    Raises
    ------
    InputError
        Says what differs first.
    """
    found = difference(first, other)
    if found is not None:
        raise InputError(names[1], f"these are not the blocks of {names[0]}: {found}")


def difference(first: Profile, other: Profile) -> str | None:
    """Return what differs between the models of two profiles, the first block that differs before all else; or None."""
    for key, what in (
        ("model", "the model is"),
        ("batch", "the batch is"),
        ("input_bytes", "the bytes of the input are"),
    ):
        left, right = getattr(first, key), getattr(other, key)
        if left != right:
            shown = [each if isinstance(each, str) else f"{each:,.15g}" for each in (left, right)]
            return f"{what} {shown[0]} there and {shown[1]} here"
    for number, (left, right) in enumerate(zip(first.blocks, other.blocks, strict=False), 1):
        if (left.name, left.output_bytes) != (right.name, right.output_bytes):
            return f"block {number} differs first: there it is {_described(left)}, here {_described(right)}"
    if len(first.blocks) != len(other.blocks):
        longer = first if len(first.blocks) > len(other.blocks) else other
        number = min(len(first.blocks), len(other.blocks)) + 1
        where = "there" if longer is first else "here"
        return f"block {number} differs first: only {where} is one, {_described(longer.blocks[number - 1])}"
    if first.architecture and other.architecture and first.architecture != other.architecture:
        return (
            "the blocks have the same names and sizes, but the layers in them have changed; or one of the two was "
            "recorded by an older tiercut, whose 'architecture' depends on the version of Keras: if you know that the "
            "model is the same, take the line 'architecture' out of that file"
        )
    return None


def _described(block: Block) -> str:
    size = "no output" if block.output_bytes is None else f"{block.output_bytes:,.0f} bytes"
    return f"'{block.name}' with {size}"


def _joined(known: dict[str, Any], added: dict[str, Any], what: str, source: str) -> dict[str, Any]:
    for name, value in added.items():
        if name in known and known[name] != value:
            raise InputError(
                source,
                f"there are other times for the {what} '{name}' already; give one of the two another name",
            )
    return known | added


def _codecs(known: dict[str, Any], added: dict[str, Any], source: str) -> dict[str, Any]:
    codecs = dict(known)
    for name, codec in added.items():
        if name not in codecs:
            codecs[name] = codec
            continue
        earlier = codecs[name]
        codecs[name] = earlier | {
            key: _weighed(f"codecs.{name}.{key}", earlier.get(key), codec.get(key), source)
            for key in _WEIGHED
            if key in earlier or key in codec
        }
        for key in ("encode_s", "decode_s"):
            codecs[name][key] = _joined(earlier.get(key, {}), codec.get(key, {}), f"codec '{name}' on device", source)
    return codecs


def _weighed(key: str, known: Any, added: Any, source: str) -> Any:
    """Return what the first said of a codec; another machine's rounding may change it a little."""
    if known is None or added is None or isinstance(known, int):
        return _agreed(key, known, added, source)
    same = len(known) == len(added) and all(
        (a is None) == (b is None) and (a is None or abs(a - b) <= max(_CODEC_ROUNDING, _CODEC_ROUNDING * abs(a)))
        for a, b in zip(known, added, strict=True)
    )
    return known if same else _agreed(key, known, added, source)


def _agreed(key: str, known: Any, added: Any, source: str) -> Any:
    if known is not None and added is not None and known != added:
        raise InputError(source, f"{key}: another profile says otherwise; keep it in one of them only")
    return known if known is not None else added
