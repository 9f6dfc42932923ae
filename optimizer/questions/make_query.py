"""From keywords to the question that they ask, and two sets of keywords merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tiercut import units
from tiercut.errors import QuestionError, unknown_name
from tiercut.optimizer.query import Bound, Joint, Kind, Query
from tiercut.optimizer.questions.accuracy_text import floor_of, loss_of
from tiercut.optimizer.questions.bound_text import bound_of, limit_of
from tiercut.optimizer.questions.question_options import QuestionOptions, block_of, first_of

if TYPE_CHECKING:
    from tiercut.optimizer.questions.question_options import Partitions

__all__ = ["make_query", "merged"]

_EMPTY: Mapping[str, str] = {}


def make_query(
    kind: Kind, options: QuestionOptions, named: Callable[[str], str] = str, *, several: bool = False
) -> Query:
    """Return the question that keywords ask.

    Parameters
    ----------
    kind
        What sort of answer is wanted.
    options
        The keywords.
    named
        What to call a keyword in a message; commands name its flag.
    several
        Whether it is asked of several sources, each of which has a rate.

    Raises
    ------
    QuestionError
        If a value cannot be read or is out of range.
    """
    keywords = options.given()
    _check_choice(keywords, "thresholds", ("one", "per-exit"), named)
    _check_choice(keywords, "joint", ("mean", "worst", "served"), named)
    if "joint" in keywords and not several:
        raise QuestionError(f"{named('joint')} is about a topology with several sources; this one has a single one")
    _check_choice(keywords, "only", ("native", "distributed"), named)
    if "objective" in keywords and "over" in keywords:
        raise QuestionError(
            f"give {named('objective')} or {named('over')}, not both: {named('over')} names all measures"
        )
    if "min_accuracy" in keywords and "max_loss" in keywords:
        raise QuestionError(
            f"give {named('min_accuracy')} or {named('max_loss')}, not both: each says how accurate a plan must be"
        )
    fewest, most = _partitions(keywords, named)
    slow = _read(keywords, "max_p99", "time", named)
    tails = () if slow is None else (Bound("p99", at_most=slow),)
    plain = ("objective", "exits", "codec", "order", "estimator", "top", "use_all_tiers", "ignore_memory")
    return Query(
        kind=kind,
        **{key: keywords[key] for key in plain if key in keywords},
        **_floor(keywords, named),
        max_latency_s=_read(keywords, "max_latency", "time", named),
        per_exit=keywords.get("thresholds") == "per-exit",
        distinct=kind == "rank" and not keywords.get("all_decisions", False),
        bounds=(
            *tails,
            *(bound_of(each) if isinstance(each, str) else each for each in _listed(keywords, "bounds", named)),
        ),
        rate_fps=_read(keywords, "rate", "rate", named),
        max_utilisation=_utilisation(keywords, named, several=several),
        joint=_joint(keywords, named) if several else None,
        over=tuple(_listed(keywords, "over", named)),
        include=tuple(_listed(keywords, "include", named)),
        exclude=tuple(_listed(keywords, "exclude", named)),
        fewest_partitions=fewest,
        most_partitions=most,
        pins=_pins(keywords, named),
        keep_first=_blocks(first_of, keywords.get("keep_first", 0), named("keep_first")),
    )


def _check_choice(keywords: Mapping[str, Any], key: str, known: Sequence[str], named: Callable[[str], str]) -> None:
    if key in keywords and keywords[key] not in known:
        raise QuestionError(f"{named(key)}: {unknown_name('choice', str(keywords[key]), known)}")


def _listed(keywords: Mapping[str, Any], key: str, named: Callable[[str], str]) -> Sequence[Any]:
    value: Sequence[Any] = keywords.get(key, ())
    if isinstance(value, str | Bound):
        raise QuestionError(f"{named(key)} is a list, not {value!r} by itself")
    return value


def _read(keywords: Mapping[str, Any], key: str, kind: str, named: Callable[[str], str]) -> float | None:
    value = keywords.get(key)
    if not isinstance(value, str):
        return value
    try:
        return units.parse(value, kind)
    except ValueError as error:
        raise QuestionError(f"{named(key)}: {error}") from None


def _joint(keywords: Mapping[str, Any], named: Callable[[str], str]) -> Joint:
    if "rate" in keywords:
        raise QuestionError(f"{named('rate')}: each of the sources of the topology has a rate of its own")
    goal: Joint = keywords.get("joint", "mean")
    return goal


def _utilisation(keywords: Mapping[str, Any], named: Callable[[str], str], *, several: bool) -> float | None:
    """Return how busy anything may be: as busy as it can, where there is a rate and nothing else is said."""
    value = keywords.get("max_utilisation", 1.0 if several or "rate" in keywords else None)
    if value is None or value == "none":
        return None
    if not several and "rate" not in keywords:
        raise QuestionError(
            f"{named('max_utilisation')} needs {named('rate')}, at which frames arrive: such as '30 fps'"
        )
    try:
        return limit_of("utilisation", value).value
    except ValueError as error:
        raise QuestionError(f"{named('max_utilisation')}: {error}") from None


def _floor(keywords: Mapping[str, Any], named: Callable[[str], str]) -> dict[str, Any]:
    """Return how accurate a plan must be, as keys of a question."""
    try:
        if (loss := keywords.get("max_loss")) is not None:
            key = "max_loss"
            return {key: loss_of(loss)}
        key, least = "min_accuracy", keywords.get("min_accuracy")
        if not isinstance(least, str):
            return {} if least is None else {key: least}
        floor = floor_of(least)
    except ValueError as error:
        raise QuestionError(f"{named(key)}: {error}") from None
    return {"of_final" if floor.of_final else key: floor.share}


def _pins(keywords: Mapping[str, Any], named: Callable[[str], str] = str) -> tuple[tuple[int | str, str], ...]:
    """Return blocks and their places, by number and then by name."""
    pins = keywords.get("pin", _EMPTY)
    read = {_blocks(block_of, block, named("pin")): place for block, place in pins.items()}
    return tuple(sorted(read.items(), key=lambda pin: (isinstance(pin[0], str), pin[0])))


def _blocks(read: Callable[[object], int | str], value: object, name: str) -> int | str:
    try:
        return read(value)
    except ValueError as error:
        raise QuestionError(f"{name}: {error}") from None


def _partitions(keywords: Mapping[str, Any], named: Callable[[str], str]) -> tuple[int | None, int | None]:
    """Return the fewest and the most partitions that `only` and `partitions` leave."""
    fewest, most = _range(keywords.get("partitions", (None, None)), named)
    if "only" not in keywords:
        return fewest, most
    native = keywords["only"] == "native"
    few, many = (fewest or 1, 1) if native else (max(fewest or 2, 2), most)
    if (many is not None and few > many) or (most is not None and few > most):
        raise QuestionError(
            f"{named('only')} {keywords['only']} means {'1 partition' if native else '2 partitions or more'}, which "
            f"{named('partitions')} excludes"
        )
    return few, many


def _range(value: Partitions, named: Callable[[str], str]) -> tuple[int | None, int | None]:
    if isinstance(value, tuple):
        return value
    first, dash, last = str(value).partition("-")
    try:
        return int(first), int(last if dash else first)
    except ValueError:
        raise QuestionError(
            f"{named('partitions')} is a number such as 2, or a range such as 1-3, not '{value}'"
        ) from None


def merged(below: QuestionOptions, above: QuestionOptions) -> QuestionOptions:
    """Return what two say together; where they speak of the same thing, the one above counts.

    Lists add up. A bound takes the place of one on the same measure and place that limits the same side, a pin that of
    one of the same block; what is included above is no longer excluded below, and the other way round; `only` and
    `partitions` are one thing, `objective` and `over` another, and so are `min_accuracy` and `max_loss`.
    """
    over, base = above.given(), below.given()
    for same in (("only", "partitions"), ("objective", "over"), ("min_accuracy", "max_loss")):
        if over.keys() & set(same):
            base = {key: value for key, value in base.items() if key not in same}
    combined = base | over
    for key, other in (("include", "exclude"), ("exclude", "include")):
        rest = [name for name in base.get(key, ()) if name not in over.get(other, ())]
        combined[key] = tuple(dict.fromkeys((*rest, *over.get(key, ()))))
    combined["pin"] = {
        block if isinstance(block, int) else f"layer {block}": place
        for block, place in (dict(_pins(base)) | dict(_pins(over))).items()
    }
    combined["bounds"] = _merged_bounds(base.get("bounds", ()), over.get("bounds", ()))
    return QuestionOptions(**combined)


def _merged_bounds(below: Iterable[str | Bound], above: Iterable[str | Bound]) -> tuple[Bound, ...]:
    by_name = {}
    for each in (*below, *above):
        for bound in (bound_of(each) if isinstance(each, str) else each).halves:
            by_name[bound.name, bound.at_most is None] = bound
    return tuple(by_name.values())
