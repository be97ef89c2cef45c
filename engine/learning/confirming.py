"""Whether 2D classification of a sample agrees with what a learnt model kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.engine.decision import Decision, write_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.learning.guard_decision import judge_learning
from cryoverdict.engine.ledger import Count, Ledger
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.features.star import read_star

STEP = "confirm-particles"
SUBJECT = "the sample of the next data"
SAMPLE, GOOD = "sample/particles.star", "particles_good.star"
IMAGE, KEEP = "rlnImageName", "cryoverdictLearntKeep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A sample in four parts, and the decision whether the model may go on.

    ``both`` were kept by the model and selected by 2D classification, ``kept`` and ``selected`` by
    the one alone, ``neither`` by none.
    """

    both: int
    kept: int
    selected: int
    neither: int
    decision: Decision

    @property
    def count(self) -> int:
        """Number of particles in the sample."""
        return self.both + self.kept + self.selected + self.neither


def confirm(
    sorted_folder: Path, selected_folder: Path, output: Path, rule_layers: Sequence[Path] = ()
) -> Confirmation:
    """Compare the sample of `classify-particles` with the selection of its classes.

    Writes decisions.jsonl and ledger.json. Raises `EngineError` where the selection is of other
    particles.
    """
    sample = read_star(sorted_folder / SAMPLE)["particles"]
    names = sample.column(IMAGE) or ()
    kept = {n for n, k in zip(names, sample.column(KEEP) or (), strict=True) if k == "1"}
    good = set(read_star(selected_folder / GOOD)["particles"].column(IMAGE) or ())
    if not good <= set(names):
        msg = (
            f"{selected_folder / GOOD}: lists particles that are not of the sample; accepted is "
            "the selection of the classes of sample/"
        )
        raise EngineError(msg)
    both, alone, selected = len(kept & good), len(kept - good), len(good - kept)
    facts: dict[str, Answer] = {
        "sample_count": float(len(names)),
        "confirmed_kept": both / len(good) if good else Absent("2D classification selects nothing"),
        "confirmed_selected": both / len(kept) if kept else Absent("the model keeps nothing"),
    }
    decision = judge_learning(SUBJECT, facts, rule_layers, {})
    write_decisions(output / "decisions.jsonl", [decision])
    found = Confirmation(
        both=both,
        kept=alone,
        selected=selected,
        neither=len(names) - both - alone - selected,
        decision=decision,
    )
    counts = (
        Count(bin="kept", number=both + found.neither),
        Count(bin="rejected", reason="model and 2D classification differ", number=alone + selected),
    )
    Ledger(step=STEP, entries=(), counts=counts).write(output / "ledger.json")
    return found
