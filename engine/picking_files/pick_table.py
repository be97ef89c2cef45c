"""All picks of a data set in one table, what was dropped included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picks import DroppedPicks, Picks
from cryoverdict.features.input_error import InputError

Floats = NDArray[np.float64]
KEPT = "kept"
COLUMNS = ("subject", "x_px", "y_px", "score", "diameter_a", "outcome")


def write_pick_table(path: Path, all_picks: Iterable[Picks]) -> None:
    """Write ``picks.parquet``: one row a pick, and one a place that was dropped.

    Columns: ``subject``, ``x_px`` and ``y_px`` (full-size pixels, RELION's convention),
    ``score``, ``diameter_a`` (absent for what was dropped), and ``outcome``: ``kept``, or the
    reason why the place is no pick. The micrographs stand in their order.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = [part for picks in all_picks for part in parts_of(picks)]
    subjects = {s: i for i, s in enumerate(dict.fromkeys(part.subject for part in parts))}
    outcomes = {o: i for i, o in enumerate(dict.fromkeys(part.outcome for part in parts))}
    counts = [len(part.x_px) for part in parts]

    def coded(codes: dict[str, int], names: list[str]) -> Any:
        """Return a dictionary column: one code a part, repeated over its rows."""
        each = np.repeat(np.array([codes[n] for n in names], np.int32), counts)
        return pa.DictionaryArray.from_arrays(
            pa.array(each, pa.int32()), pa.array(list(codes), pa.string())
        )

    def numbers(name: str) -> Any:
        """Return a column of numbers, absent where they are not known."""
        values = np.concatenate([np.empty(0), *(getattr(part, name) for part in parts)])
        return pa.array(values, pa.float64(), from_pandas=True)

    table = pa.table(
        {
            "subject": coded(subjects, [part.subject for part in parts]),
            **{name: numbers(name) for name in COLUMNS[1:5]},
            "outcome": coded(outcomes, [part.outcome for part in parts]),
        }
    )
    temporary = path.with_name(path.name + ".part")
    pq.write_table(table, temporary)
    temporary.replace(path)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The rows of one micrograph that share an outcome; each array ``(n,)``."""

    subject: str
    outcome: str
    x_px: Floats
    y_px: Floats
    score: Floats
    diameter_a: Floats


def parts_of(picks: Picks) -> Iterator[Part]:
    """Yield the parts of one micrograph: kept first, then each reason in the order of its name."""
    yield Part(
        subject=picks.subject,
        outcome=KEPT,
        x_px=picks.x_px,
        y_px=picks.y_px,
        score=picks.score,
        diameter_a=picks.diameter_a,
    )
    for reason, gone in sorted(picks.dropped.items()):
        yield Part(
            subject=picks.subject,
            outcome=reason,
            x_px=gone.x_px,
            y_px=gone.y_px,
            score=gone.score,
            diameter_a=np.full(len(gone), np.nan),
        )


def read_pick_table(path: Path) -> dict[str, Picks]:
    """Return the picks of each subject that has any row; raises `InputError` for another file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        missing = [name for name in COLUMNS if name not in table.column_names]
    except (OSError, pa.ArrowInvalid) as error:
        msg = f"{path}: cannot be read ({error}); accepted is the picks.parquet of pick"
        raise InputError(msg) from error
    if missing:
        msg = f"{path}: lacks the column {missing[0]}; accepted is the picks.parquet of pick"
        raise InputError(msg)
    subjects, subject_names = _codes(table.column("subject"))
    outcomes, outcome_names = _codes(table.column("outcome"))
    columns = {
        name: table.column(name).to_numpy(zero_copy_only=False).astype(float)
        for name in COLUMNS[1:5]
    }
    order = np.lexsort((np.arange(len(subjects)), outcomes, subjects))
    key = subjects[order].astype(np.int64) * (len(outcome_names) + 1) + outcomes[order]
    groups = np.split(order, np.flatnonzero(np.diff(key)) + 1) if len(order) else []
    kept: dict[str, Picks] = {}
    dropped: dict[str, dict[str, DroppedPicks]] = {}
    for rows in groups:
        subject, outcome = subject_names[subjects[rows[0]]], outcome_names[outcomes[rows[0]]]
        x, y, score, diameter = (columns[name][rows] for name in COLUMNS[1:5])
        if outcome == KEPT:
            kept[subject] = Picks(subject=subject, x_px=x, y_px=y, score=score, diameter_a=diameter)
        else:
            gone = DroppedPicks(x_px=x, y_px=y, score=score)
            dropped.setdefault(subject, {})[outcome] = gone
    nothing = np.empty(0)
    return {
        subject: replace(
            kept.get(
                subject,
                Picks(
                    subject=subject, x_px=nothing, y_px=nothing, score=nothing, diameter_a=nothing
                ),
            ),
            dropped=dropped.get(subject, {}),
        )
        for subject in subject_names
        if subject in kept or subject in dropped
    }


def _codes(column: Any) -> tuple[NDArray[np.int64], list[str]]:
    """Return a column of words as codes and the words they stand for, as they are first met."""
    words = column.to_pylist()
    names = list(dict.fromkeys(words))
    place = {name: i for i, name in enumerate(names)}
    return np.fromiter((place[w] for w in words), np.int64, len(words)), names
