"""Random choices in random problems, codecs and missing exits among them."""

from __future__ import annotations

import numpy as np

from support.reference import Choice
from support.seeded.problems import Case

CHOICES = 5


def drawn_choices(case: Case, rng: np.random.Generator) -> list[Choice]:
    """Return a few possible choices, a third of them with fewer exits than cuts."""
    reference = case.reference
    partitions = list(reference.partitions(case.exits))
    found = []
    for _ in range(CHOICES):
        partition = partitions[int(rng.integers(len(partitions)))]
        placements = list(reference.placements(len(partition), case.order))
        if not placements:
            continue
        placement = placements[int(rng.integers(len(placements)))]
        used = partition if reference.rule(case.exits) == "cuts" else partition[-1:]
        if len(used) > 1 and rng.random() < 1 / 3:
            used = (*(e for e in used[:-1] if rng.random() < 0.5), used[-1])
        if reference.rule(case.exits) == "free":
            sets = list(reference.exit_sets("free", partition))
            used = sets[int(rng.integers(len(sets)))]
        index = int(rng.integers(reference.threshold_indices(case.exits))) if len(used) > 1 else None
        codecs, entry = drawn_codecs(case, partition, placement[0], rng)
        found.append(Choice(partition, placement, used, index, codecs, input_codec=entry))
    return [choice for choice in found if reference.possible(choice)]


def drawn_codecs(
    case: Case, partition: tuple[int, ...], first: str, rng: np.random.Generator
) -> tuple[tuple[str | None, ...], str | None]:
    """Return a codec that can be used at each cut and one for the input, or None; now and then none at all."""
    if not case.profile.get("codecs") or rng.random() < 0.3:
        return (), None
    at = [*(case.reference.codecs_of(cut) for cut in partition[:-1]), case.reference.codecs_of(0, first)]
    *cuts, entry = (names[int(rng.integers(len(names)))] for names in at)
    return tuple(cuts), entry
