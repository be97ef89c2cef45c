"""Small figures as SVG path data: lines over an axis, bars, and values with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

from cryoverdict.reports.number import write_number

WIDTH, HEIGHT = 340, 150
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 22
TICKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One labelled place on an axis, in the figure's own units."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One series of a figure: its name, a path for its line or bars, and its single points."""

    name: str
    path: str
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A figure in a box of `WIDTH` by `HEIGHT`; ``label`` says in words what it shows."""

    title: str
    label: str
    x_title: str
    series: tuple[Drawn, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bars: bool = False
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM
    top: int = TOP


def line_chart(
    title: str,
    x_title: str,
    series: Sequence[tuple[str, Sequence[float | None], Sequence[float | None]]],
    *,
    zero: bool = False,
) -> Chart | None:
    """Return lines of (name, x, y), broken where y is unknown; ``None`` where nothing is known.

    ``zero`` lets the y axis begin at 0.
    """
    known = [
        (x, y)
        for _, xs, ys in series
        for x, y in zip(xs, ys, strict=True)
        if x is not None and y is not None and isfinite(x) and isfinite(y)
    ]
    if not known:
        return None
    across = _Axis.over([x for x, _ in known], LEFT, WIDTH - RIGHT)
    up = _Axis.over([y for _, y in known] + [0.0] * zero, HEIGHT - BOTTOM, TOP)
    drawn = []
    for name, xs, ys in series:
        path, pen = [], "M"
        for x, y in zip(xs, ys, strict=True):
            if x is None or y is None or not (isfinite(x) and isfinite(y)):
                pen = "M"
                continue
            path.append(f"{pen}{across.place(x):.1f} {up.place(y):.1f}")
            pen = "L"
        drawn.append(Drawn(name=name, path="".join(path)))
    last = known[-1][1]
    return Chart(
        title=title,
        label=f"{title}: from {write_number(known[0][1], 3)} to {write_number(last, 3)}",
        x_title=x_title,
        series=tuple(drawn),
        x_ticks=across.ticks(),
        y_ticks=up.ticks(),
    )


def bar_chart(
    title: str, x_title: str, edges: Sequence[float], heights: Sequence[float]
) -> Chart | None:
    """Return bars between ``edges`` (one more than heights); ``None`` where all are empty."""
    if not heights or max(heights) <= 0:
        return None
    across = _Axis(low=edges[0], high=edges[-1], start=LEFT, end=WIDTH - RIGHT)
    up = _Axis.over([0.0, *heights], HEIGHT - BOTTOM, TOP)
    foot = up.place(0.0)
    parts = []
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        if height > 0:
            a, b = across.place(left), across.place(right)
            gap = 0.5 if b - a > 2 else 0.0
            parts.append(
                f"M{a + gap:.2f} {foot:.1f}V{up.place(height):.1f}H{b - gap:.2f}V{foot:.1f}z"
            )
    tallest = max(range(len(heights)), key=lambda i: heights[i])
    return Chart(
        title=title,
        label=f"{title}: most between {write_number(edges[tallest], 3)} and"
        f" {write_number(edges[tallest + 1], 3)} {x_title}",
        x_title=x_title,
        series=(Drawn(name=title, path="".join(parts)),),
        x_ticks=across.ticks(),
        y_ticks=up.ticks(),
        bars=True,
    )


def error_chart(
    title: str, x_title: str, points: Sequence[tuple[float, float, float]]
) -> Chart | None:
    """Return points (x, y, standard error) with their 95 % intervals."""
    if not points:
        return None
    reach = [(x, y - 1.96 * e, y + 1.96 * e) for x, y, e in points]
    across = _Axis.over([x for x, _, _ in points], LEFT + 14, WIDTH - RIGHT - 14)
    up = _Axis.over([v for _, low, high in reach for v in (low, high)], HEIGHT - BOTTOM, TOP)
    path = "".join(
        f"M{across.place(x):.1f} {up.place(low):.1f}V{up.place(high):.1f}" for x, low, high in reach
    )
    best = max(points, key=lambda p: p[1])
    return Chart(
        title=title,
        label=f"{title}: highest at {write_number(best[0], 4)}",
        x_title=x_title,
        series=(
            Drawn(
                name=title,
                path=path,
                points=tuple((across.place(x), up.place(y)) for x, y, _ in points),
            ),
        ),
        x_ticks=tuple(Tick(at=across.place(x), text=write_number(x, 3)) for x, _, _ in points),
        y_ticks=up.ticks(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """A range of values laid over a stretch of the figure."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        """Return an axis over all values; equal values get a little room."""
        low, high = min(values), max(values)
        if high - low < 1e-12 * max(1.0, abs(high)):
            low, high = low - 0.5, high + 0.5
        return cls(low=low, high=high, start=start, end=end)

    def place(self, value: float) -> float:
        """Return where a value stands in the figure."""
        part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self) -> tuple[Tick, ...]:
        """Return round numbers within the range."""
        raw = (self.high - self.low) / TICKS
        power = 10.0 ** floor(log10(raw))
        step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * 0.999)
        first = -floor(-self.low / step + 1e-9)
        count = floor(self.high / step + 1e-9) - first + 1
        values = [round((first + i) * step, 12) for i in range(count)]
        return tuple(Tick(at=round(self.place(v), 2), text=write_number(v, 3)) for v in values)
