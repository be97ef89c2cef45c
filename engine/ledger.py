"""The ledger: every input item ends in exactly one bin."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.record_fault import record_fault

Bin = Literal["kept", "rejected", "error"]
BINS: tuple[Bin, ...] = get_args(Bin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where one item ended, and why it was not kept."""

    item: str
    bin: Bin
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many items ended in a bin for one reason, where there are too many to name each here."""

    bin: Bin
    reason: str = ""
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The account of one step.

    Raises `EngineError` where an item stands in two bins: the sum over the bins is the number of
    items that came in. Of a step over particles the ``counts`` stand here, besides the ``entries``
    named one by one, and ``items_file`` names the table beside the ledger that has every item.
    """

    step: str
    entries: tuple[Entry, ...]
    counts: tuple[Count, ...] = ()
    items_file: str = ""

    def __post_init__(self) -> None:
        """Hold the promise of one bin an item."""
        twice = [item for item, n in Counter(e.item for e in self.entries).items() if n > 1]
        if twice:
            msg = f"ledger of {self.step}: {twice[0]} stands in more than one bin"
            raise EngineError(msg)

    @property
    def bins(self) -> dict[Bin, int]:
        """Number of items in each bin."""
        found = Counter(e.bin for e in self.entries)
        for count in self.counts:
            found[count.bin] += count.number
        return {b: found[b] for b in BINS}

    def check(self, inputs: Iterable[str]) -> None:
        """Raise `EngineError` unless the entries are exactly the ``inputs``."""
        wanted, got = set(inputs), {e.item for e in self.entries}
        if wanted != got:
            item = sorted(wanted ^ got)[0]
            side = "has no bin" if item in wanted else "was never an input"
            msg = f"ledger of {self.step}: {item} {side}"
            raise EngineError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``ledger.json``."""
        record: dict[str, Any] = {
            "step": self.step,
            "inputs": sum(self.bins.values()),
            "bins": dict(self.bins),
            "items": [{"item": e.item, "bin": e.bin, "reason": e.reason} for e in self.entries],
        }
        if self.counts or self.items_file:
            record["counts"] = [
                {"bin": c.bin, "reason": c.reason, "number": c.number} for c in self.counts
            ]
            record["items_file"] = self.items_file
        return record

    def write(self, path: Path) -> None:
        """Write the ledger as JSON, moved into place when it is whole."""
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(
            json.dumps(self.to_dict(), indent=1, sort_keys=True, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )
        temporary.replace(path)


def read_ledger(path: Path) -> Ledger:
    """Return the ledger that `Ledger.write` wrote; raises `EngineError` for anything else."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        entries = tuple(Entry(**item) for item in record["items"])
        return Ledger(
            step=record["step"],
            entries=entries,
            counts=tuple(Count(**count) for count in record.get("counts", ())),
            items_file=record.get("items_file", ""),
        )
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); accepted is the ledger.json of a run"
        raise EngineError(msg) from error
    except (KeyError, TypeError, ValueError) as error:
        fault = record_fault(error)
        msg = f"{path}: not a ledger ({fault}); accepted is the ledger.json of a run"
        raise EngineError(msg) from error
