"""The files of a classification decision."""

from __future__ import annotations

from pathlib import Path

from cryoverdict.engine.classification_decision.deciding import ClassificationDecided
from cryoverdict.engine.classification_decision.pick_facts import PickFacts
from cryoverdict.engine.extraction.picked_micrographs import PickedSet
from cryoverdict.engine.ledger import Entry, Ledger
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.engine.parameter_record import write_records

PARAMETERS = "classification.json"


def write_decided(
    decided: ClassificationDecided, picked: PickedSet, found: PickFacts, output: Path
) -> Ledger:
    """Write ``classification.json``, ``decisions.jsonl`` and ``ledger.json``; return the ledger.

    The ledger's items are the micrographs: those whose picks were counted, and the unreadable.
    """
    errors = {**picked.errors, **found.errors}
    kept = [p.subject for p in picked.picked if p.subject not in errors]
    entries = [Entry(item=subject, bin="kept") for subject in kept]
    entries += [Entry(item=subject, bin="error", reason=why) for subject, why in errors.items()]
    ledger = Ledger(step="decide-classification", entries=tuple(entries))
    ParameterFile.of(decided.decision).write(output / PARAMETERS)
    write_records(output / "decisions.jsonl", (decided.decision,))
    ledger.write(output / "ledger.json")
    return ledger
