"""The account of a whole run: every micrograph and every particle in one bin, sums checked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.ledger import BINS, Bin, Ledger, read_ledger

LEDGER = "ledger.json"
PICKS = "picks.parquet"
CLASSES = "decide-classes"
Unit = Literal["micrographs", "particles"]
# The steps that sort something out, in the order in which they follow each other.
CHAINS: Mapping[Unit, tuple[str, ...]] = {
    "micrographs": ("decide-micrographs", "pick"),
    "particles": (
        "extract",
        "classify-particles",
        "classify",
        CLASSES,
        "classify-again",
        "write-stack",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAccount:
    """What went into a step and where it ended, over all of the step's batches.

    ``reasons`` counts the items that did not go on, by bin and reason; ``items`` names the bin and
    the reason of each, of a step over micrographs. ``picks`` is how many places a step picked.
    """

    step: str
    batches: int
    bins: Mapping[Bin, int]
    reasons: Mapping[tuple[Bin, str], int]
    items: Mapping[str, tuple[Bin, str]]
    picks: int | None = None

    @property
    def inputs(self) -> int:
        """Number of items that came in."""
        return sum(self.bins.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLedger:
    """The accounts of the steps of one run, in order, checked against each other.

    Raises `EngineError` where a step did not get exactly what the one before it kept.
    """

    steps: tuple[StepAccount, ...]

    def __post_init__(self) -> None:
        """Hold the promise that nothing is lost or doubled between two steps."""
        for chain in CHAINS.values():
            present = [s for name in chain for s in self.steps if s.step == name]
            for before, after in pairwise(present):
                _check(before.step, before.bins["kept"], after)
        picked = next((s for s in self.steps if s.picks is not None), None)
        cut = next((s for s in self.steps if s.step == "extract"), None)
        if picked is not None and cut is not None:
            _check(picked.step, picked.picks or 0, cut)

    def account(self, step: str) -> StepAccount | None:
        """Return the account of one step, if the run had it."""
        return next((s for s in self.steps if s.step == step), None)

    def total(self, unit: Unit) -> dict[str, Any] | None:
        """Return where all micrographs or all picks ended; ``None`` for a run without them."""
        steps = [s for name in CHAINS[unit] for s in self.steps if s.step == name]
        if not steps:
            return None
        lost = [(s.step, bin_, why, n) for s in steps for (bin_, why), n in s.reasons.items()]
        bins: Counter[str] = Counter({"kept": steps[-1].bins["kept"]})
        for _, bin_, _, number in lost:
            bins[bin_] += number
        if sum(bins.values()) != steps[0].inputs:
            msg = (
                f"run ledger: {steps[0].inputs} {unit} came in, {sum(bins.values())} are accounted "
                f"for; the ledger of one of {', '.join(s.step for s in steps)} is not whole"
            )
            raise EngineError(msg)
        record: dict[str, Any] = {
            "inputs": steps[0].inputs,
            "bins": {bin_: bins[bin_] for bin_ in BINS},
            "lost": [
                {"step": step, "bin": bin_, "reason": why, "number": number}
                for step, bin_, why, number in sorted(lost)
            ],
        }
        if unit == "micrographs":
            ends: dict[str, tuple[str, Bin, str]] = {}
            for step in steps:
                for item, (bin_, why) in step.items.items():
                    ends[item] = (step.step, bin_, why)
            record["items"] = [
                {"item": item, "bin": bin_, "reason": why, "step": step}
                for item, (step, bin_, why) in ends.items()
            ]
        return record

    def to_dict(self) -> dict[str, Any]:
        """Return the object of the run's ``ledger.json``."""
        totals = {unit: self.total(unit) for unit in CHAINS}
        return {
            **{unit: total for unit, total in totals.items() if total is not None},
            "steps": [
                {
                    "step": s.step,
                    "batches": s.batches,
                    "inputs": s.inputs,
                    "bins": dict(s.bins),
                }
                for s in self.steps
            ],
        }

    def write(self, path: Path) -> None:
        """Write the ledger as JSON, moved into place when it is whole."""
        temporary = path.with_name(path.name + ".part")
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)


def account_for(folders: Sequence[Path]) -> RunLedger:
    """Return the ledger of a run from the folders of its steps; batches of a step are added up.

    Raises `EngineError` for a folder without a ledger, and where the sums do not add up.
    """
    return RunLedger(steps=accounts(folders))


def accounts(folders: Sequence[Path]) -> tuple[StepAccount, ...]:
    """Return the account of each step that has one of these folders, in their order."""
    by_step: dict[str, list[tuple[Path, Ledger]]] = {}
    for folder in folders:
        ledger = read_ledger(folder / LEDGER)
        by_step.setdefault(ledger.step, []).append((folder, ledger))
    return tuple(_added(step, found) for step, found in by_step.items())


def _added(step: str, found: Sequence[tuple[Path, Ledger]]) -> StepAccount:
    """Return the sum of a step's batches."""
    bins: Counter[Bin] = Counter()
    reasons: Counter[tuple[Bin, str]] = Counter()
    items: dict[str, tuple[Bin, str]] = {}
    named = step in CHAINS["micrographs"]
    for _, ledger in found:
        if step == CLASSES:
            # Its items are classes; the particles that they hold are the counts.
            ledger = Ledger(step=step, entries=(), counts=ledger.counts)
        bins.update(ledger.bins)
        for entry in ledger.entries:
            if entry.bin != "kept":
                reasons[entry.bin, _class_of(entry.reason)] += 1
            if named:
                items[entry.item] = (entry.bin, entry.reason)
        for count in ledger.counts:
            if count.bin != "kept":
                reasons[count.bin, _class_of(count.reason)] += count.number
    tables = [folder / PICKS for folder, _ in found if step == "pick"]
    return StepAccount(
        step=step,
        batches=len(found),
        bins={bin_: bins[bin_] for bin_ in BINS},
        reasons=dict(sorted(reasons.items())),
        items=items,
        picks=sum(map(_picks, tables)) if tables else None,
    )


def _class_of(reason: str) -> str:
    """Return what a reason has in common with others: the text before what names one item.

    >>> _class_of("edge: too near the edge of the micrograph"), _class_of("film, drift")
    ('edge', 'film, drift')
    """
    return reason.partition(":")[0].strip()


def _picks(path: Path) -> int:
    """Return how many places a table of picks calls picks."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    outcome = pq.read_table(path, columns=["outcome"])["outcome"].cast("string")
    return int(pc.sum(pc.equal(outcome, "kept").cast("int64")).as_py() or 0)


def _check(before: str, kept: int, after: StepAccount) -> None:
    """Raise `EngineError` unless a step got what the one before it kept."""
    if after.inputs != kept:
        msg = f"run ledger: {before} kept {kept}, but {after.step} got {after.inputs}"
        raise EngineError(msg)
