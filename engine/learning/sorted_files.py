"""Particles sorted by a learnt model as files: lists, table, ledger, a sample to confirm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.particle_lists import IMAGE
from cryoverdict.engine.decision import write_decisions
from cryoverdict.engine.learning.classifying import SortedParticles
from cryoverdict.engine.ledger import Count, Entry, Ledger
from cryoverdict.features.star import StarTable, write_star

STEP = "classify-particles"
GOOD, REJECTED = "particles_good.star", "particles_rejected.star"
TABLE = "particle_verdicts.parquet"
SAMPLE = "sample"
PROBABILITY, KEEP = "cryoverdictGoodProbability", "cryoverdictLearntKeep"
BELOW = "below the learnt threshold"


def write_sorted(found: SortedParticles, output: Path, *, sample: int, seed: int) -> Ledger:
    """Write the lists, the table of all verdicts, the decision, the sample, and last the ledger."""
    table = _with_verdicts(found)
    optics = found.lists.stack.optics_table
    head = {} if optics is None else {"optics": optics}
    for name, chosen in ((GOOD, found.kept), (REJECTED, ~found.kept)):
        rows = tuple(table.rows[i] for i in np.flatnonzero(chosen))
        part = StarTable(columns=table.columns, rows=rows)
        write_star(output / name, {**head, "particles": part})
    _write_table(found, output / TABLE)
    write_decisions(output / "decisions.jsonl", [found.decision])
    _write_sample(found, table, output / SAMPLE, sample=sample, seed=seed)
    ledger = _ledger(found)
    ledger.write(output / "ledger.json")
    return ledger


def sample_of(found: SortedParticles, wanted: int, seed: int) -> NDArray[np.int64]:
    """Return a random sample of all particles, kept and rejected alike, in ascending order."""
    count = len(found.kept)
    if wanted >= count:
        return np.arange(count)
    rng = np.random.default_rng((seed, 53))
    return np.sort(rng.choice(count, wanted, replace=False))


def _with_verdicts(found: SortedParticles) -> StarTable:
    """Return the particles' list with probability, and with class, turn and centre of the match."""
    source = found.lists.stack.particles
    probability = found.probability
    added = {
        PROBABILITY: [f"{p:.6f}" for p in probability],
        KEEP: [str(int(k)) for k in found.kept],
        "rlnClassNumber": [str(n) for n in found.number.tolist()],
        "rlnAnglePsi": [f"{_turn(-t):.6f}" for t in found.turn_deg.tolist()],
        "rlnOriginXAngst": [f"{-x:.6f}" for x in found.shift_a[:, 0].tolist()],
        "rlnOriginYAngst": [f"{-y:.6f}" for y in found.shift_a[:, 1].tolist()],
    }
    kept = [i for i, label in enumerate(source.columns) if label not in added]
    cells = zip(*added.values(), strict=True)
    rows = tuple(
        (*(row[i] for i in kept), *more) for row, more in zip(source.rows, cells, strict=True)
    )
    return StarTable(columns=(*(source.columns[i] for i in kept), *added), rows=rows)


def _turn(angle_deg: float) -> float:
    """Return an angle between −180 and 180 degrees."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def _write_table(found: SortedParticles, path: Path) -> None:
    """Write one row a particle: its name, bin, reason, probability and class."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*found.lists.names, *found.lists.duplicates, *found.lists.errors]
    lost = len(names) - len(found.kept)
    bins = [*("kept" if k else "rejected" for k in found.kept)]
    bins += ["rejected"] * len(found.lists.duplicates) + ["error"] * len(found.lists.errors)
    reasons = ["" if k else BELOW for k in found.kept]
    reasons += [*found.lists.duplicates.values(), *found.lists.errors.values()]
    nothing = [None] * lost
    temporary = path.with_name(path.name + ".part")
    columns = {
        "item": names,
        "bin": bins,
        "reason": reasons,
        "good_probability": [*found.probability.tolist(), *nothing],
        "log_odds": [*found.log_odds.tolist(), *nothing],
        "class": [*found.number.tolist(), *nothing],
    }
    pq.write_table(pa.table(columns), temporary)
    temporary.replace(path)


def _write_sample(
    found: SortedParticles, table: StarTable, folder: Path, *, sample: int, seed: int
) -> None:
    """Write a sample with its images, so that it can be classified on its own."""
    rows = sample_of(found, sample, seed)
    folder.mkdir(exist_ok=True)
    stack = found.lists.stack
    write_mrcs(folder / "particles.mrcs", stack.read(rows), stack.pixel_size_a)
    image = table.columns.index(IMAGE)
    cells = []
    for number, i in enumerate(rows.tolist(), start=1):
        row = list(table.rows[i])
        row[image] = f"{number:06d}@particles.mrcs"
        cells.append(tuple(row))
    head = {} if stack.optics_table is None else {"optics": stack.optics_table}
    particles = StarTable(columns=table.columns, rows=tuple(cells))
    write_star(folder / "particles.star", {**head, "particles": particles})


def _ledger(found: SortedParticles) -> Ledger:
    """Return the account: every particle of the lists in one bin."""
    kept = int(found.kept.sum())
    counts = [Count(bin="kept", number=kept)]
    below = len(found.kept) - kept
    if below:
        counts.append(Count(bin="rejected", reason=BELOW, number=below))
    twice = len(found.lists.duplicates)
    if twice:
        counts.append(Count(bin="rejected", reason="duplicate", number=twice))
    entries = tuple(
        Entry(item=name, bin="error", reason=why) for name, why in found.lists.errors.items()
    )
    return Ledger(step=STEP, entries=entries, counts=tuple(counts), items_file=TABLE)
