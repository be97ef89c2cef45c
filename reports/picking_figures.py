"""The figures of picking: diameter evidence, scores with the null, picks per micrograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.reports.chart import Chart, line_chart
from cryoverdict.reports.number import write_number, write_quantity

Floats = NDArray[np.float64]
Curves = Mapping[str, Floats]
# A line of more places than this shows no more.
MOST_PLACES = 1500
SCORE_BINS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value marked on the x axis of a chart: its place, its words, and how it is drawn."""

    at: float
    text: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedChart:
    """A chart with marks and one band over its x axis; ``text`` says what it shows.

    ``filled`` fills the first series.
    """

    chart: Chart
    text: str
    marks: tuple[Mark, ...] = ()
    band: tuple[float, float] | None = None
    filled: bool = False


def diameter_figure(curves: Curves, parameter: Mapping[str, Any] | None) -> MarkedChart | None:
    """Return the evidence for each diameter, with the settled value, its interval and the given."""
    sizes, evidence = curves.get("diameters_a"), curves.get("size_evidence")
    if sizes is None or evidence is None or len(sizes) < 2:
        return None
    series = [("dark on light", sizes.tolist(), evidence.tolist())]
    light, null = curves.get("size_evidence_light"), curves.get("size_null")
    if light is not None and light.shape == sizes.shape:
        series.append(("light on dark", sizes.tolist(), light.tolist()))
    if null is not None and null.shape == sizes.shape:
        series.append(("chance", sizes.tolist(), null.tolist()))
    chart = line_chart("Evidence for each size", "diameter, Å", series, zero=True)
    if chart is None:
        return None
    span = (float(sizes.min()), float(sizes.max()))
    marks, band = _settled(chart, span, parameter, "A")
    return MarkedChart(
        chart=chart,
        text="What is found at each size beyond chance; the band is the 95 % interval.",
        marks=marks,
        band=band,
    )


def score_figure(curves: Curves, parameter: Mapping[str, Any] | None) -> MarkedChart | None:
    """Return the histogram of scores with that of the null, and the threshold."""
    edges, counts = curves.get("score_edges"), curves.get("score_counts")
    null = curves.get("null_counts")
    if edges is None or counts is None or len(edges) != len(counts) + 1 or len(counts) < 2:
        return None
    series = [("micrographs", *_steps(edges, counts))]
    if null is not None and null.shape == counts.shape:
        series.append(("chance", *_steps(edges, null)))
    chart = line_chart("Scores", "score, null deviations", series, zero=True)
    if chart is None:
        return None
    marks, band = _settled(chart, (float(edges[0]), float(edges[-1])), parameter, "1")
    return MarkedChart(
        chart=chart,
        text="Places by their score, and what phase-randomised copies of the micrographs show.",
        marks=marks,
        band=band,
        filled=True,
    )


def discovery_figure(curves: Curves, parameter: Mapping[str, Any] | None) -> MarkedChart | None:
    """Return the false discovery rate at each threshold."""
    scores, rate = curves.get("fdr_scores"), curves.get("fdr")
    if scores is None or rate is None or len(scores) < 2:
        return None
    chart = line_chart(
        "False picks at each threshold",
        "score threshold",
        [("false discovery rate", scores.tolist(), rate.tolist())],
        zero=True,
    )
    if chart is None:
        return None
    marks, _ = _settled(chart, (float(scores.min()), float(scores.max())), parameter, "1")
    text = "The share of the places above a threshold that chance explains."
    return MarkedChart(chart=chart, text=text, marks=marks)


def profile_figure(curves: Curves, parameter: Mapping[str, Any] | None) -> MarkedChart | None:
    """Return the radial profile of the average of what was found, with the settled radius."""
    radius, profile = curves.get("profile_radius_a"), curves.get("profile")
    if radius is None or profile is None or len(radius) < 2 or radius.shape != profile.shape:
        return None
    series = [("profile", radius.tolist(), profile.tolist())]
    chart = line_chart("Average of what was found", "radius, Å", series, zero=True)
    if chart is None:
        return None
    marks = []
    value = None if parameter is None else parameter["value"]
    if value is not None and radius.min() <= value / 2 <= radius.max():
        place = _place(chart, (float(radius.min()), float(radius.max())), value / 2)
        marks.append(
            Mark(at=place, text=f"radius {write_quantity(value / 2, 'A', 3)}", tone="value")
        )
    return MarkedChart(
        chart=chart,
        text="Mean contrast of the found things by distance from their centre.",
        marks=tuple(marks),
    )


def picked_scores(scores: Floats, threshold: float | None) -> MarkedChart | None:
    """Return the histogram of the scores of all picks."""
    known = scores[np.isfinite(scores)]
    if known.size < 2:
        return None
    low, high = float(known.min()), float(np.quantile(known, 0.995))
    if high <= low:
        high = low + 1.0
    counts, edges = np.histogram(np.minimum(known, high), SCORE_BINS, (low, high))
    series = [("picks", *_steps(edges, counts.astype(float)))]
    chart = line_chart("Scores of the picks", "score", series, zero=True)
    if chart is None:
        return None
    marks = []
    if threshold is not None and edges[0] <= threshold <= edges[-1]:
        place = _place(chart, (float(edges[0]), float(edges[-1])), threshold)
        marks.append(Mark(at=place, text=f"threshold {write_number(threshold, 3)}", tone="value"))
    return MarkedChart(
        chart=chart,
        text="All picks; the last bin holds higher scores too.",
        marks=tuple(marks),
        filled=True,
    )


def counts_figure(counts: Sequence[int]) -> MarkedChart | None:
    """Return the number of picks over the micrographs in the order of the list.

    Long lists are drawn by the median of neighbours.
    """
    if len(counts) < 2:
        return None
    values = np.asarray(counts, float)
    places = np.arange(1, len(values) + 1, dtype=float)
    if len(values) > MOST_PLACES:
        parts = np.array_split(np.arange(len(values)), MOST_PLACES)
        values, places = (np.array([np.median(a[p]) for p in parts]) for a in (values, places))
    chart = line_chart(
        "Picks a micrograph",
        "micrograph, in the order of the list",
        [("picks", places.tolist(), values.tolist())],
        zero=True,
    )
    if chart is None:
        return None
    middle = write_number(float(np.median(np.asarray(counts, float))), 3)
    return MarkedChart(chart=chart, text=f"The median is {middle} a micrograph.")


def _steps(edges: Floats, counts: Floats) -> tuple[list[float], list[float]]:
    """Return a histogram's outline, which begins and ends at 0."""
    x = np.repeat(edges, 2)
    y = np.concatenate([[0.0], np.repeat(counts, 2), [0.0]])
    return x.tolist(), y.tolist()


def _settled(
    chart: Chart, span: tuple[float, float], parameter: Mapping[str, Any] | None, unit: str
) -> tuple[tuple[Mark, ...], tuple[float, float] | None]:
    """Return the marks of a settled parameter on a chart, and the band of its interval."""
    if parameter is None:
        return (), None
    said = parameter["estimate"] or {}
    marks = []
    for name, value, tone in (
        ("given", parameter["given"], "given"),
        ("settled", parameter["value"], "value"),
    ):
        if value is not None and span[0] <= value <= span[1]:
            text = f"{name} {write_quantity(value, unit, 3)}"
            marks.append(Mark(at=_place(chart, span, value), text=text, tone=tone))
    low, high = said.get("low"), said.get("high")
    if low is None or high is None or high < span[0] or low > span[1]:
        return tuple(marks), None
    ends = [_place(chart, span, min(max(v, span[0]), span[1])) for v in (low, high)]
    return tuple(marks), (ends[0], max(1.0, round(ends[1] - ends[0], 2)))


def _place(chart: Chart, span: tuple[float, float], value: float) -> float:
    """Return where a value of the x axis stands in a chart."""
    part = (value - span[0]) / (span[1] - span[0])
    return round(chart.left + part * (chart.right - chart.left), 2)
