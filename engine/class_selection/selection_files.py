"""A selection as the files that RELION's Select job and cryoSPARC leave, with a ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.class_selection.selection import ClassSelection
from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.decision import Decision, write_decisions
from cryoverdict.engine.ledger import Count, Entry, Ledger
from cryoverdict.features.relion_classes import REFERENCE, particle_table
from cryoverdict.features.star import UNKNOWN, StarTable, table_of, write_star

STEP = "decide-classes"
SELECTED = "selected_classes.mrcs"
PARTICLE_TABLE = "particle_verdicts.parquet"
# In the particles' lists: how probably the class of a particle is good.
GOOD_PROBABILITY = "cryoverdictClassProbability"
OUTPUTS = (
    "particles_good.star",
    "particles_rejected.star",
    "class_averages.star",
    "class_averages_good.star",
    "backup_selection.star",
    "particles_good.cs",
    "particles_rejected.cs",
    "class_averages_good.cs",
    SELECTED,
    PARTICLE_TABLE,
)


def write_selection(selection: ClassSelection, output: Path) -> Ledger:
    """Write everything but the report into ``output``; return the ledger, its sums checked.

    What an earlier run left there and this one does not write is removed.
    """
    written = set()
    selection.table.write(output / "features.parquet")
    more = [*selection.guards]
    if selection.particle_decision is not None:
        more.append(selection.particle_decision)
    write_decisions(output / "decisions.jsonl", [*selection.decisions, *more])
    written |= _write_averages(selection, output)
    if selection.particles is not None:
        written |= _write_particles(selection, output)
        _write_verdict_table(selection, output / PARTICLE_TABLE)
        written.add(PARTICLE_TABLE)
    for name in OUTPUTS:
        if name not in written:
            (output / name).unlink(missing_ok=True)
    ledger = ledger_of(selection)
    ledger.write(output / "ledger.json")
    return ledger


def ledger_of(selection: ClassSelection) -> Ledger:
    """Return the account over classes and particles; every one is in exactly one bin."""
    entries = [
        Entry(item=d.subject, bin="kept")
        if d.explanation.favourable
        else Entry(item=d.subject, bin="rejected", reason=", ".join(x.name for x in d.defects))
        for d in selection.decisions
    ]
    unreadable = selection.classes.unreadable
    entries += [Entry(item=s, bin="error", reason=why) for s, why in unreadable.items()]
    verdicts = selection.particles
    counts: list[Count] = []
    if verdicts is not None:
        found = Counter(verdicts.reason[i] for i in np.flatnonzero(~verdicts.kept))
        counts.append(Count(bin="kept", number=int(verdicts.kept.sum())))
        counts += [Count(bin="rejected", reason=why, number=n) for why, n in sorted(found.items())]
    ledger = Ledger(
        step=STEP,
        entries=tuple(entries),
        counts=tuple(counts),
        items_file=PARTICLE_TABLE if verdicts is not None else "",
    )
    ledger.check([*(a.subject for a in selection.classes.averages), *unreadable])
    if verdicts is not None:
        assert sum(c.number for c in counts) == len(verdicts.kept)
    return ledger


def verdict_columns(decision: Decision) -> dict[str, str]:
    """Return what the STAR files say of a class."""
    return {
        "cryoverdictOutcome": decision.outcome,
        "cryoverdictProbability": f"{decision.probability:.6f}",
        "cryoverdictGoodProbability": f"{decision.explanation.favourable_probability:.6f}",
        "cryoverdictGrade": decision.grade or "none",
        "cryoverdictDefects": ",".join(d.name for d in decision.defects) or "none",
        "cryoverdictReview": str(int(decision.review)),
    }


def _write_averages(selection: ClassSelection, output: Path) -> set[str]:
    """Write the good averages as a stack and as lists; return the names written."""
    averages = selection.classes.averages
    kept = [i for i, d in enumerate(selection.decisions) if d.explanation.favourable]
    written = set()
    shapes = {averages[i].pixels.shape for i in kept}
    if kept and len(shapes) == 1:
        images = np.array([averages[i].pixels for i in kept], dtype=np.float32)
        write_mrcs(output / SELECTED, images, averages[0].pixel_size_a or 1.0)
        written.add(SELECTED)
    rows = []
    table = selection.classes.model.get("model_classes")
    for place, i in enumerate(kept, start=1):
        own = dict(zip(table.columns, table.rows[i], strict=True)) if table is not None else {}
        average, decision = averages[i], selection.decisions[i]
        row = {REFERENCE: f"{place:06d}@{SELECTED}", "rlnClassNumber": str(average.number)}
        row |= {k: v for k, v in own.items() if k not in row}
        if average.members is not None:
            row["cryoverdictParticles"] = str(average.members)
        rows.append({**row, **verdict_columns(decision)})
    columns = [REFERENCE, "rlnClassNumber", *(table.columns if table is not None else ())]
    good = table_of(rows, list(dict.fromkeys(columns)))
    write_star(output / "class_averages_good.star", {"": good})
    written.add("class_averages_good.star")
    if table is not None:
        # As RELION's Select job leaves them: the model's rows, and one number a class.
        chosen = StarTable(columns=table.columns, rows=tuple(table.rows[i] for i in kept))
        write_star(output / "class_averages.star", {"": chosen})
        numbers = [{"rlnSelected": str(int(i in set(kept)))} for i in range(len(averages))]
        write_star(output / "backup_selection.star", {"": table_of(numbers, ["rlnSelected"])})
        written |= {"class_averages.star", "backup_selection.star"}
    if selection.classes.records is not None:
        _write_cs(output / "class_averages_good.cs", selection.classes.records[kept])
        written.add("class_averages_good.cs")
    return written


def _write_particles(selection: ClassSelection, output: Path) -> set[str]:
    """Write the particles' lists as they came in, all columns kept; return the names written."""
    classes, verdicts = selection.classes, selection.particles
    assert verdicts is not None
    written = set()
    for name, chosen in (("good", verdicts.kept), ("rejected", ~verdicts.kept)):
        where = np.flatnonzero(chosen)
        if classes.particles is not None:
            _write_cs(output / f"particles_{name}.cs", classes.particles[where])
            written.add(f"particles_{name}.cs")
        if classes.data:
            assert classes.source is not None
            block, table = particle_table(classes.source, classes.data)
            blocks = {**classes.data, block: _with_verdicts(table, selection, where, name)}
            write_star(output / f"particles_{name}.star", blocks)
            written.add(f"particles_{name}.star")
    return written


def _with_verdicts(
    table: StarTable, selection: ClassSelection, where: NDArray[np.intp], name: str
) -> StarTable:
    """Return some rows of a particle list with what was decided of them in columns of our own."""
    verdicts, assignments = selection.particles, selection.classes.assignments
    assert verdicts is not None
    assert assignments is not None
    classes = {
        a.number: d.explanation.favourable_probability
        for a, d in zip(selection.classes.averages, selection.decisions, strict=True)
    }
    added: dict[str, list[str]] = {
        GOOD_PROBABILITY: [f"{classes.get(int(assignments.number[i]), 0.0):.6f}" for i in where],
        "cryoverdictKeepProbability": [_number(verdicts.probability[i]) for i in where],
    }
    if name == "rejected":
        added["cryoverdictReason"] = [verdicts.reason[i] or "none" for i in where]
    kept = [i for i, label in enumerate(table.columns) if label not in added]
    new = list(zip(*added.values(), strict=True))
    rows = tuple(
        (*(table.rows[i][j] for j in kept), *values) for i, values in zip(where, new, strict=True)
    )
    return StarTable(columns=(*(table.columns[j] for j in kept), *added), rows=rows)


def _number(value: float) -> str:
    """Return a probability as STAR files have it."""
    return UNKNOWN if np.isnan(value) else f"{value:.6f}"


def _write_cs(path: Path, records: NDArray[Any]) -> None:
    """Write records as cryoSPARC keeps them, moved into place when the file is whole."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as stream:
        np.save(stream, records, allow_pickle=False)
    temporary.replace(path)


def _write_verdict_table(selection: ClassSelection, path: Path) -> None:
    """Write one row a particle: its name, class, bin and reason."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    verdicts, assignments = selection.particles, selection.classes.assignments
    assert verdicts is not None
    assert assignments is not None
    columns: dict[str, Sequence[object]] = {
        "item": assignments.names,
        "class": assignments.number.tolist(),
        "bin": ["kept" if k else "rejected" for k in verdicts.kept],
        "reason": verdicts.reason,
        "keep_probability": [None if np.isnan(p) else float(p) for p in verdicts.probability],
    }
    temporary = path.with_name(path.name + ".part")
    pq.write_table(pa.table(columns), temporary)
    temporary.replace(path)
