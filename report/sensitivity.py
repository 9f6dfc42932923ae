"""Tables of how the best choice follows conditions: shares, gains, and what conditions do alone and together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from tiercut import units
from tiercut.report.plots.style import figure_of
from tiercut.report.rows import Column, Rows
from tiercut.report.safe_table import text_of
from tiercut.report.saving import Picture
from tiercut.report.tables import table_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from tiercut.analysis import Influence, RegionMap, Sensitivity

__all__ = ["sensitivity_lines", "sensitivity_picture", "sensitivity_rows", "sensitivity_tables"]

_MOST_SHARES = 10
_MOST_PAIRS = 5


def sensitivity_tables(found: Sensitivity[Any]) -> Iterator[Table | Text]:
    """Yield what was looked at, the shares, the gains, and what the conditions do."""
    yield Text.assemble((found.title, "bold"), f": {_counted(found)}")
    yield from map(table_from, sensitivity_rows(found))
    yield from map(text_of, sensitivity_lines(found))


def sensitivity_rows(found: Sensitivity[Any]) -> Iterator[Rows]:
    """Yield the shares of the best five, static against best, and what conditions do alone and together."""
    yield _share_rows(found)
    yield _gain_rows(found)
    yield _influence_rows(found)
    if any(region.sweep.changes for region in found.regions):
        yield _region_rows(found)
    if found.region_map is not None and len(found.region_map.faces) > 1:
        yield _map_rows(found, found.region_map)


def sensitivity_lines(found: Sensitivity[Any]) -> Iterator[str]:
    """Yield which condition matters most alone, which do not, and what they do together."""
    alone = [each for each in found.influences if len(each.conditions) == 1]
    moving = [each for each in alone if each.other_best]
    still = [each.conditions[0] for each in alone if not each.other_best]
    if moving:
        first = moving[0]
        yield f"{first.conditions[0]} matters most alone: {_said(first)}."
    if still:
        yield f"Alone, {', '.join(still)} never make{'s' * (len(still) == 1)} another choice the best."
    pairs = [each for each in found.influences if len(each.conditions) == 2 and each.other_best]
    if pairs and len(found.conditions) > 2:
        yield f"Of two, {' and '.join(pairs[0].conditions)} matter most: {_said(pairs[0])}."
    if len(found.conditions) > 1:
        yield f"All together: {_said(found.influences[-1])}."
    for region in found.regions:
        if region.sweep.note:
            yield f"Where the best plan changes over {region.condition} is not known: {region.sweep.note}."
    if found.region_map is not None and found.region_map.note:
        yield f"There is no map of both conditions: {found.region_map.note}."


def sensitivity_picture(found: Sensitivity[Any]) -> Picture:
    """Return shares and gains as bars, or the regions of a condition by itself, with the tables and what they say."""
    from tiercut.report.plots.sensitivity import plot_region_map, plot_regions, plot_sensitivity

    alone = len(found.conditions) == 1 and found.regions and not found.regions[0].sweep.note
    if found.region_map is not None and found.region_map.faces:
        figure = figure_of(plot_region_map(found))
    else:
        figure = figure_of(plot_regions(found) if alone else plot_sensitivity(found))
    return Picture(figure, found.title, tables=tuple(sensitivity_rows(found)), lines=tuple(sensitivity_lines(found)))


def _counted(found: Sensitivity[Any]) -> str:
    count, total = len(found.conditions), len(found.combinations)
    base = ", ".join(f"{each.name} {each.shown[0]}" for each in found.conditions)
    many = f"{total:,} combination{'s' * (total != 1)} of {count} condition{'s' * (count != 1)}"
    best = units.format_seconds(float(found.best_s[found.baseline, 0]))
    return f"{many}; at {base}, the baseline, the best is {found.label(found.static)} with {best}"


def _share_rows(found: Sensitivity[Any]) -> Rows:
    cells = [(found.label(choice), f"{share:.1%}") for choice, share in found.top[:_MOST_SHARES]]
    left = len(found.top) - len(cells)
    if left:
        cells.append((f"{left} more", f"{sum(share for _, share in found.top[_MOST_SHARES:]):.1%}"))
    columns = Column("choice", "left", fold=True), Column("share")
    return Rows("share of all places among the best five", columns, tuple(cells))


def _gain_rows(found: Sensitivity[Any]) -> Rows:
    cells, ends, before = [], set[int](), None
    for place, each in enumerate(found.gains):
        if before not in (None, each.condition.name):
            ends.add(place - 1)
        name = "" if before == each.condition.name else each.condition.name
        before = each.condition.name
        best = "none" if each.best is None else found.label(each.best)
        values = _seconds(each.static_s), _seconds(each.best_s), _share(each.gain)
        cells.append((name, each.condition.shown[each.level], *values, best))
    heads = (Column("condition", "left", fold=True), Column("value"))
    figures = (Column("staying"), Column("best"), Column("gain"))
    columns = (*heads, *figures, Column("with", "left", fold=True))
    title = f"one condition changed: staying with {found.label(found.static)}, or the best"
    return Rows(title, columns, tuple(cells), frozenset(ends))


def _influence_rows(found: Sensitivity[Any]) -> Rows:
    cells, ends = [], set[int]()
    pairs = [each for each in found.influences if len(each.conditions) == 2]
    shown = [each for each in found.influences if each not in pairs[_MOST_PAIRS:]]
    for place, each in enumerate(shown):
        if place and len(each.conditions) != len(shown[place - 1].conditions):
            ends.add(place - 1)
        name = "all" if len(each.conditions) > 2 else " and ".join(each.conditions)
        other = f"{each.other_best:.0%}"
        cells.append((name, f"{each.combinations:,}", other, _share(each.mean_gain), _share(each.greatest_gain)))
    figures = map(Column, ("combinations", "other best", "mean gain", "greatest"))
    columns = (Column("changed", "left", fold=True), *figures)
    least = f" ({_MOST_PAIRS} of {len(pairs)} pairs)" if len(pairs) > _MOST_PAIRS else ""
    return Rows(f"what conditions do alone and together{least}", columns, tuple(cells), frozenset(ends))


def _region_rows(found: Sensitivity[Any]) -> Rows:
    """Return where each plan is the best over one condition by itself, exactly."""
    cells, ends = [], set[int]()
    for region in found.regions:
        sweep = region.sweep
        for place, span in enumerate(sweep.spans if sweep.changes else ()):
            limits = sweep.parameter.show(span.low), sweep.parameter.show(span.high)
            best = "none" if span.plan is None else found.label(span.plan)
            cells.append(("" if place else region.condition, *limits, best))
        ends.add(len(cells) - 1)
    columns = Column("condition", "left", fold=True), Column("from"), Column("to"), Column("best", "left", fold=True)
    return Rows("where the best changes, the others as in the baseline", columns, tuple(cells), frozenset(ends))


def _map_rows(found: Sensitivity[Any], region_map: RegionMap) -> Rows:
    """Return the plans that are the best somewhere over both conditions, with their shares of the map."""
    shares: dict[str, float] = {}
    for face in region_map.faces:
        best = "none" if face.decision is None else found.label(face.decision)
        shares[best] = shares.get(best, 0.0) + face.area
    order = sorted(shares.items(), key=lambda item: -item[1])
    cells = [(best, f"{share:.1%}") for best, share in order[:_MOST_SHARES]]
    if left := len(order) - len(cells):
        cells.append((f"{left} more", f"{sum(share for _, share in order[_MOST_SHARES:]):.1%}"))
    what = " and ".join(region_map.conditions)
    columns = Column("best", "left", fold=True), Column("share of the map")
    return Rows(f"over {what}, exactly (bandwidths by their inverse)", columns, tuple(cells))


def _said(influence: Influence) -> str:
    better, count = round(influence.other_best * influence.combinations), influence.combinations
    share = f"another choice is better under {better:,} of {count:,} combination{'s' * (count != 1)}"
    if influence.mean_gain is None or influence.greatest_gain is None:
        return share
    return f"{share}, and gains {influence.mean_gain:.1%} on average, {influence.greatest_gain:.1%} at most"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else units.format_seconds(seconds)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
