"""The part of a record that codecs have: measured once, and timed on every machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tiercut.errors import QuestionError
from tiercut.profiling.codecs.codec import TensorCodec
from tiercut.profiling.codecs.lossless import LOSSLESS
from tiercut.profiling.codecs.measure import time_codecs, weigh_codecs
from tiercut.profiling.codecs.samples import CodecSamples, load_codec_samples
from tiercut.profiling.models.cut import CutNetwork
from tiercut.profiling.profile.merging import with_codecs
from tiercut.profiling.profile.schema import Profile
from tiercut.profiling.record.settings import Settings
from tiercut.profiling.record.subject import Subject
from tiercut.profiling.timing.pieces_timed import runs_needed
from tiercut.profiling.timing.stress import stressed

__all__ = ["add_codecs", "samples_for_codecs"]

_SAMPLES = 200


def samples_for_codecs(subject: Subject, cut: CutNetwork, settings: Settings) -> CodecSamples | None:
    """Return the samples that codecs are measured on; None where there are no codecs to measure.

    Raises
    ------
    QuestionError
        If there are no samples, or a package is missing.
    InputError
        If the file of samples does not hold what the network takes.
    """
    if settings.codecs is None:
        return None
    for codec in settings.tensor_codecs:
        if codec.lossless is not None:
            LOSSLESS[codec.lossless].check()
    if settings.codec_data is not None:
        found = load_codec_samples(Path(settings.codec_data), cut)
    elif subject.network is not None:
        split = subject.network.data.profile
        found = CodecSamples((split.images,), split.labels, subject.network.data.name)
    else:
        raise QuestionError("codecs are measured on what really crosses a cut: name samples with --codec-data FILE.npz")
    return found.part(settings.codec_samples or _SAMPLES, settings.batch or 1)


def add_codecs(
    profile: Profile,
    subject: Subject,
    cut: CutNetwork,
    settings: Settings,
    *,
    samples: CodecSamples | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Profile:
    """Return a profile with the codecs that are wanted, measured where it does not have them; else the same.

    What was measured of a codec already (bytes, accuracy) stays as it is, unless everything is measured again.

    Parameters
    ----------
    profile
        With the device.
    subject, cut, settings
        The network, in the blocks of the profile, and how it is recorded.
    samples
        What `samples_for_codecs` returned, if it was called before.
    progress
        Called with ``codecs`` and how much of them is done.

    Raises
    ------
    QuestionError, InputError
        See `samples_for_codecs`.
    """
    wanted = [each for each in settings.tensor_codecs if settings.redo or not _timed(profile, each, settings.device)]
    if not wanted:
        return profile
    samples = samples or samples_for_codecs(subject, cut, settings)
    assert samples is not None
    how = {"batch": settings.batch or 1, "jit": settings.jit}
    new = [each for each in wanted if settings.redo or each.name not in profile.codecs]
    fresh: dict[str, dict[str, Any]] = {}
    if new:
        fresh = weigh_codecs(cut, new, samples, **how, progress=lambda done, most: progress("codecs", done, 2 * most))  # type: ignore[arg-type]
    used = {each.name: (each, _used(profile, fresh, each.name, len(cut.blocks))) for each in wanted}
    inputs, _ = next(samples.batches(settings.batch or 1))
    with stressed(settings.stress):
        times = time_codecs(
            cut,
            used,
            inputs,
            replace(settings.timing, counted=runs_needed(settings.statistic)),
            **how,  # type: ignore[arg-type]
            calm=not settings.stress,
            cpu=settings.clock == "cpu",
            statistic=settings.statistic,
            progress=lambda done, most: progress("codecs", most + done, 2 * most),
        )
    for name, each in times.items():
        found = {f"{which}_s": {settings.device: seconds} for which, seconds in each.items()}
        fresh[name] = fresh.get(name, {}) | found
    return with_codecs(profile, fresh)


def _timed(profile: Profile, codec: TensorCodec, device: str) -> bool:
    known = profile.codecs.get(codec.name)
    return known is not None and device in known.encode_s and device in known.decode_s


def _used(profile: Profile, fresh: dict[str, dict[str, Any]], name: str, count: int) -> list[bool]:
    sizes = fresh[name]["bytes"] if name in fresh else profile.codecs[name].bytes
    return [place < len(sizes) and sizes[place] is not None for place in range(count)]
