"""The pages of `decide-picking` and `pick`, from what the engine left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.parameter_decision import ParameterDecision
from cryoverdict.engine.parameter_record import read_records
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking_run.decision_files import CURVES, read_curves
from cryoverdict.engine.picking_run.picking_step import PickingRequest, PickingRun, final_picks
from cryoverdict.reports.number import write_quantity, write_share
from cryoverdict.reports.parameter_evidence import parameter_rows
from cryoverdict.reports.picking_figures import (
    Curves,
    MarkedChart,
    counts_figure,
    diameter_figure,
    discovery_figure,
    picked_scores,
    profile_figure,
    score_figure,
)
from cryoverdict.reports.picking_page import (
    Overlay,
    PickedRow,
    PickingPage,
    counted,
    write_picking_page,
)

OUTCOMES: Mapping[str, str] = {"kept": "keep", "rejected": "reject", "error": "error"}
NO_DECISION = "the decisions.jsonl beside them holds no decision on picking"
# The numbers that the head of the page shows.
HEADLINES = (
    ("diameter_a", "diameter"),
    ("score_threshold", "threshold"),
    ("spacing_a", "least distance"),
    ("lowpass_a", "lowpass"),
)


def report_decision(
    output: Path, *, decision: ParameterDecision, curves: Curves, notes: Sequence[str]
) -> Path:
    """Write ``output/report`` of a picking decision and return its first page.

    ``curves`` are those of the survey.
    """
    record = decision.to_dict()
    by_name = {p["name"]: p for p in record["parameters"]}
    diameter = by_name["diameter_a"]
    how = f"settled by {'the images' if diameter['settled_by'] == 'statistics' else 'rule'}"
    if diameter["settled_by"] == "given":
        how = "as given"
    size = write_quantity(diameter["value"], "A")
    sentence = f"Particles of {size} ({how})." if diameter["value"] is not None else "No diameter."
    average = curves.get("average")
    page = PickingPage(
        title="Picking: how, and why",
        sentence=sentence,
        numbers=_headlines(by_name),
        notes=(*decision.review_reasons, *decision.findings, *notes),
        figures=survey_figures(curves, by_name),
        parameters=parameter_rows(record),
        average=None if average is None else _grey(average),
    )
    return write_picking_page(output / "report", page)


def report_picking(
    output: Path, *, run: PickingRun, request: PickingRequest, settled: Path
) -> Path:
    """Write ``output/report`` of a picking run and return its first page.

    What the decision beside ``settled`` (the picking.json used) said is shown too, where its files
    are there.
    """
    record, curves, told = _decision_beside(settled, request.parameters)
    by_name = {} if record is None else {p["name"]: p for p in record["parameters"]}
    kept = set(run.kept)
    decisions = {d.subject: d.to_dict() for d in run.decisions}
    counts = [o.count for o in _in_order(run) if o.how != "error"]
    scores = [run.picked(s).picks.score for s in run.kept]
    threshold = request.parameters.score_threshold
    own = (
        picked_scores(np.concatenate([np.empty(0), *scores]), threshold),
        counts_figure(counts),
    )

    def overlay(subject: str) -> Overlay | None:
        """Return the picks of a subject as the page draws them."""
        if subject not in decisions:
            return None
        picked = run.picked(subject, pictured=True)
        picks = final_picks(run, subject, kept)
        # Pickers that know no size get rings of the decided one.
        sizes_a = np.nan_to_num(picks.diameter_a, nan=request.parameters.diameter_a)
        diameter_px = sizes_a / picked.pixel_size_a
        return Overlay(
            shape=picked.shape,
            picks=np.stack([picks.x_px, picks.y_px, picks.score, diameter_px], axis=1),
            dropped={
                reason: np.stack([gone.x_px, gone.y_px], axis=1)
                for reason, gone in picks.dropped.items()
                if len(gone)
            },
            thumbnail=picked.thumbnail,
            notes=picks.notes,
            usual_px=request.parameters.diameter_a / picked.pixel_size_a,
        )

    rows = [
        PickedRow(
            subject=e.item, outcome=OUTCOMES[e.bin], reason=e.reason, decision=decisions.get(e.item)
        )
        for e in run.ledger.entries
    ]
    total = sum(o.count for o in run.outcomes if o.subject in kept)
    bins = run.ledger.bins
    micrographs = counted(bins["kept"], "micrograph", "micrographs")
    page = PickingPage(
        title="Picking: where the particles lie",
        sentence=f"{counted(total, 'particle', 'particles')} in {micrographs}.",
        numbers=_headlines(by_name) or _plain(request),
        notes=(*run.notes, *told, *agreement_told(run), *_told(run)),
        figures=(*(f for f in own if f is not None), *survey_figures(curves, by_name)),
        parameters=() if record is None else parameter_rows(record),
        average=_grey(curves["average"]) if "average" in curves else None,
        bins=[(OUTCOMES[word], word, n) for word, n in bins.items()],
    )
    return write_picking_page(output / "report", page, rows=rows, overlay=overlay)


def _decision_beside(
    settled: Path, used: PickingParameters
) -> tuple[Mapping[str, Any] | None, Curves, tuple[str, ...]]:
    """Return the decision that a picking.json came from, its curves, and notes for the reader.

    There is none where no picking decision stands beside the file, or where the numbers in the file
    are not those decided: then the page must not show them as decided.
    """
    beside = settled.parent / "decisions.jsonl"
    if not beside.is_file():
        return None, {}, ()
    try:
        records = [d.to_dict() for d in read_records(beside)]
        curves = read_curves(settled.parent / CURVES)
    except EngineError:  # decisions of another step, or damaged: the picks do not hang on them
        return None, {}, (f"How the parameters were settled is not shown: {NO_DECISION}.",)
    record = next((r for r in records if r["kind"] == "picking"), None)
    if record is None:
        return None, {}, ()
    decided = {p["name"]: p["value"] for p in record["parameters"]}
    changed = [
        name
        for name, value in decided.items()
        if value is not None and not isclose(value, getattr(used, name, value), rel_tol=1e-6)
    ]
    if changed:
        names = ", ".join(changed)
        return None, {}, (f"Changed in {settled.name} after the decision beside it: {names}.",)
    return record, curves, ()


def survey_figures(
    curves: Curves, parameters: Mapping[str, Mapping[str, Any]]
) -> tuple[MarkedChart, ...]:
    """Return the figures of a survey that its curves suffice for."""
    made = (
        diameter_figure(curves, parameters.get("diameter_a")),
        score_figure(curves, parameters.get("score_threshold")),
        discovery_figure(curves, parameters.get("score_threshold")),
        profile_figure(curves, parameters.get("diameter_a")),
    )
    return tuple(figure for figure in made if figure is not None)


def _headlines(by_name: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the numbers of the page's head from a decision."""
    return [
        (words, write_quantity(by_name[name]["value"], by_name[name]["unit"], 3))
        for name, words in HEADLINES
        if name in by_name
    ]


def _plain(request: PickingRequest) -> list[tuple[str, str]]:
    """Return the numbers of the page's head where only the parameters are known."""
    return [
        (
            words,
            write_quantity(
                getattr(request.parameters, name), "A" if name.endswith("_a") else "1", 3
            ),
        )
        for name, words in HEADLINES
    ]


def _in_order(run: PickingRun) -> list[Any]:
    """Return what became of each micrograph, in the order of the list."""
    fate = {o.subject: o for o in run.outcomes}
    return [fate[s] for s in run.listed.micrographs.subjects if s in fate]


def agreement_told(run: PickingRun) -> tuple[str, ...]:
    """Return how each picker agrees with the others, where several were asked."""
    told = run.agreement()
    return tuple(
        f"{a.picker} found {counted(a.found, 'place', 'places')}, "
        f"{write_share(a.shared, a.found)} of which another picker found too"
        + (
            f"; it missed {counted(a.missed, 'place', 'places')} that others agree on."
            if len(told) > 2
            else "."
        )
        for a in told
    )


def _told(run: PickingRun) -> tuple[str, ...]:
    """Return how many micrographs have something of their own to say."""
    noted = sum(bool(run.picked(d.subject).picks.notes) for d in run.decisions)
    if not noted:
        return ()
    have = "has a note of its own" if noted == 1 else "have notes of their own"
    return (f"{noted} of {len(run.decisions)} micrographs {have}: open them to read it.",)


def _grey(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return an image as grey values between its extremes."""
    low, high = float(np.nanmin(image)), float(np.nanmax(image))
    scaled = (np.nan_to_num(image, nan=low) - low) * (255.0 / max(high - low, 1e-12))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)
