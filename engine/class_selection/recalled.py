"""A selection read back from the folder that it was written into."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from cryoverdict.engine.class_selection.adapting import THRESHOLD
from cryoverdict.engine.class_selection.guards import GUARD, prices_of
from cryoverdict.engine.class_selection.selecting import notes_on
from cryoverdict.engine.class_selection.selection import ClassSelection, ParticleVerdicts
from cryoverdict.engine.class_selection.selection_files import PARTICLE_TABLE
from cryoverdict.engine.decision import Decision, read_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.kinds.keep_particles import KEEP_PARTICLES
from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.features.class_average import ClassSet
from cryoverdict.features.class_view import prepare_classes
from cryoverdict.features.table import FeatureTable


def recalled_selection(folder: Path, classes: ClassSet) -> ClassSelection:
    """Return the selection of a finished `decide-classes`, given the run that it selected from.

    Raises `EngineError` where the decisions are on other classes than those of the run.
    """
    records = read_decisions(folder / "decisions.jsonl")
    decisions = tuple(d for d in records if d.kind == SELECT_CLASSES.id)
    if [d.subject for d in decisions] != [a.subject for a in classes.averages]:
        msg = (
            f"{folder / 'decisions.jsonl'}: decides on other classes than those of "
            f"{classes.source}; accepted is the run that was selected from"
        )
        raise EngineError(msg)
    views = prepare_classes(classes)
    prices, total = prices_of(decisions, views, classes.assignments)
    return ClassSelection(
        classes=classes,
        views=views,
        table=FeatureTable.read(folder / "features.parquet"),
        decisions=decisions,
        guards=tuple(d for d in records if d.kind == GUARD),
        prices=prices,
        total=total,
        particles=_verdicts(folder / PARTICLE_TABLE),
        particle_decision=next((d for d in records if d.kind == KEEP_PARTICLES.id), None),
        notes=notes_on(classes, views, decisions, _threshold(decisions)),
    )


def _threshold(decisions: tuple[Decision, ...]) -> float:
    """Return the probability from which a class of the run was kept."""
    moved = (e for d in decisions for e in d.explanation.evidence if e.name == THRESHOLD)
    value = next((e.value for e in moved), None)
    return float(value) if isinstance(value, int | float) else 0.5


def _verdicts(path: Path) -> ParticleVerdicts | None:
    """Return the verdicts on the particles; ``None`` where the run listed none."""
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    table = pq.read_table(path)
    reason = tuple(table["reason"].to_pylist())
    outliers = (r.removeprefix("outlier: ") for r in reason if r.startswith("outlier: "))
    probability = table["keep_probability"].to_pylist()
    return ParticleVerdicts(
        kept=np.array([b == "kept" for b in table["bin"].to_pylist()], dtype=bool),
        reason=reason,
        probability=np.array([np.nan if p is None else p for p in probability], dtype=float),
        rules=Counter(name for spoke in outliers for name in spoke.split(", ")),
    )
