"""The page of one `classify` run, from what the engine left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.particle_lists import ParticleLists
from cryoverdict.engine.classification_run.class_run import ClassRun
from cryoverdict.engine.classification_run.rerun import CHANGEABLE
from cryoverdict.engine.classification_run.step import ClassifiedStep
from cryoverdict.engine.classification_run.symptoms import SYMPTOMS
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.engine.parameter_decision import ParameterDecision
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.reports.chart import Chart, bar_chart, line_chart
from cryoverdict.reports.class_sheet import ClassTile
from cryoverdict.reports.classification_page import (
    ClassificationPage,
    Fact,
    Judged,
    write_classification_page,
)
from cryoverdict.reports.number import write_number, write_quantity

REFRESH_S = 20
CURVES = (
    ("Classes with particles", ("alive",), True),
    ("Resolution, Å", ("compared_a", "resolution_a"), False),
    ("Particles that changed their class", ("changed",), True),
    ("Probability of the best place", ("top",), True),
    ("Evidence a particle", ("evidence",), False),
)
CURVE_NAMES = {"compared_a": "compared to", "resolution_a": "averages"}


def report_run(
    output: Path, found: ClassifiedStep, lists: ParticleLists, file: ParameterFile
) -> Path:
    """Write ``output/report`` and return its first page."""
    run = found.run
    order = np.argsort(-run.count, kind="stable")
    used = int((run.count > 0).sum())
    again = " after a second run" if found.repeated else ""
    known = run.resolution_a[np.isfinite(run.resolution_a) & (run.count > 0)]
    page = ClassificationPage(
        title="2D classification",
        sentence=f"{write_number(len(run.number))} particles lie in {used} of {len(run.count)}"
        f" classes{again}.",
        numbers=(
            ("particles", write_number(len(run.number))),
            ("largest class", f"{100 * run.count.max() / max(1, run.count.sum()):.1f} %"),
            ("best resolution", write_quantity(float(known.min()), "A", 3) if len(known) else "–"),
            ("duplicates dropped", write_number(len(lists.duplicates))),
            ("could not be read", write_number(len(lists.errors))),
        ),
        notes=_notes(found, lists),
        averages=run.averages[order],
        tiles=tuple(_tile(run, int(k)) for k in order),
        curves=convergence(run.history),
        histograms=distributions(run),
        judged=tuple(
            _judged(decision, number, len(found.decisions))
            for number, decision in enumerate(found.decisions, start=1)
        ),
        settled=_settled(file),
    )
    return write_classification_page(output / "report", page)


def report_snapshot(
    output: Path, averages: NDArray[np.float32], history: Sequence[Mapping[str, Any]]
) -> Path:
    """Write ``output/report`` for a run that still goes on; its page loads itself anew."""
    last = history[-1] if history else {}
    page = ClassificationPage(
        title="2D classification, running",
        sentence=f"Iteration {last.get('number', '?')} of {last.get('total', '?')} is done.",
        averages=averages,
        tiles=tuple(
            ClassTile(number=k, address="", count=1, share=0.0, resolution_a=None)
            for k in range(1, len(averages) + 1)
        ),
        curves=convergence(history),
        refresh_s=REFRESH_S,
    )
    return write_classification_page(output / "report", page)


def convergence(history: Sequence[Mapping[str, Any]]) -> tuple[Chart, ...]:
    """Return the curves over the iterations of the beginning that was taken.

    Where several beginnings were tried, the last line tells which was taken.
    """
    if not history:
        return ()
    taken = history[-1].get("start")
    lines = [line for line in history if line.get("start") == taken]
    at = [float(line["number"]) for line in lines]
    drawn = []
    for title, names, zero in CURVES:
        series = [
            (CURVE_NAMES.get(name, name), at, [_value(line, name) for line in lines])
            for name in names
        ]
        chart = line_chart(title, "iteration", series, zero=zero)
        if chart is not None:
            drawn.append(chart)
    return tuple(drawn)


def distributions(run: ClassRun) -> tuple[Chart, ...]:
    """Return class sizes, angles, shifts and probabilities."""
    sizes = np.sort(run.count)[::-1].astype(float)
    edges = np.arange(len(sizes) + 1) + 0.5
    turns, turn_edges = np.histogram(run.psi_deg % 360.0, bins=36, range=(0.0, 360.0))
    shift = np.hypot(run.origin_a[:, 0], run.origin_a[:, 1])
    reach = float(max(shift.max(initial=0.0), run.pixel_size_a))
    shifts, shift_edges = np.histogram(shift, bins=30, range=(0.0, reach))
    charts = [
        bar_chart("Class sizes", "class, largest first", edges.tolist(), sizes.tolist()),
        bar_chart("In-plane angles", "degrees", turn_edges.tolist(), turns.tolist()),
        bar_chart("Shifts from the pick", "Å", shift_edges.tolist(), shifts.tolist()),
    ]
    known = run.top[np.isfinite(run.top)]
    if len(known):
        tops, top_edges = np.histogram(known, bins=30, range=(0.0, 1.0))
        title = "Probability of the best place"
        charts.append(bar_chart(title, "probability", top_edges.tolist(), tops.tolist()))
    return tuple(c for c in charts if c is not None)


def facts_of(decision: ParameterDecision, only: Sequence[str] = ()) -> tuple[Fact, ...]:
    """Return the facts of a decision as a page lists them, those named or all."""
    return tuple(
        Fact(
            name=fact.name,
            meaning=fact.meaning.rstrip("."),
            value=write_quantity(decision.facts[fact.name], fact.unit, 3),
        )
        for fact in CLASSIFICATION.facts
        if fact.name in decision.facts and (not only or fact.name in only)
    )


def _value(line: Mapping[str, Any], name: str) -> float | None:
    """Return a value of one iteration; evidence is told by particle."""
    if name == "evidence":
        total, particles = line.get("log_evidence"), line.get("particles")
        return None if total is None or not particles else float(total) / float(particles)
    value = line.get(name)
    return None if value is None else float(value)


def _tile(run: ClassRun, k: int) -> ClassTile:
    """Return one class of the sheet."""

    def known(values: NDArray[np.float64]) -> float | None:
        return float(values[k]) if np.isfinite(values[k]) else None

    return ClassTile(
        number=k + 1,
        address="",
        count=int(run.count[k]),
        share=float(run.count[k] / max(1, run.count.sum())),
        resolution_a=known(run.resolution_a) if run.count[k] else None,
        rotation_accuracy_deg=known(run.rotation_accuracy_deg),
        shift_accuracy_a=known(run.shift_accuracy_a),
    )


def _notes(found: ClassifiedStep, lists: ParticleLists) -> tuple[str, ...]:
    """Return what a reader must know, unreadable stacks counted by reason."""
    reasons = Counter(lists.errors.values())
    lost = [f"{write_number(n)} particles left out: {why}" for why, n in reasons.items()]
    return (*found.notes, *lost)


def _judged(decision: ParameterDecision, number: int, total: int) -> Judged:
    """Return what the rules said of one run."""
    rules = sum(e.source == "rule" for p in decision.parameters for e in p.evidence)
    shown = {**decision.to_dict()}
    shown["parameters"] = [p for p in shown["parameters"] if p["name"] in CHANGEABLE]
    spoken = f"{rules} of the rules spoke" if rules else "No rule objects to it"
    sentence = f"What the finished run shows of itself. {spoken}."
    return Judged(
        heading="The result judged" if total == 1 else f"The result judged, run {number}",
        sentence=" ".join([sentence, *decision.findings]),
        facts=facts_of(decision, SYMPTOMS),
        record=shown,
    )


def _settled(file: ParameterFile) -> tuple[Fact, ...]:
    """Return the parameters that the run was given."""
    return tuple(
        Fact(
            name=p.name,
            meaning=p.meaning.rstrip("."),
            value=write_quantity(file.parameters[p.name], p.unit),
        )
        for p in CLASSIFICATION.parameters
        if p.name in file.parameters
    )
