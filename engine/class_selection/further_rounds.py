"""More rounds of 2D classification and selection, as long as much is newly rejected."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.class_selection.guards import REJECTED_CLASSES, REJECTED_PARTICLES
from cryoverdict.engine.class_selection.round_decision import (
    AGAIN,
    ENOUGH,
    RoundResult,
    decide_round,
)
from cryoverdict.engine.class_selection.selecting import select_classes
from cryoverdict.engine.class_selection.selection import ClassSelection
from cryoverdict.engine.class_selection.selection_files import (
    GOOD_PROBABILITY,
    SELECTED,
    write_selection,
)
from cryoverdict.engine.classification.particle_lists import IMAGE, ParticleLists
from cryoverdict.engine.classification.particle_stack import part_of
from cryoverdict.engine.classification_run.builtin import RunOptions
from cryoverdict.engine.classification_run.step import ClassifiedStep, Classifier, classify_step
from cryoverdict.engine.decision import Decision, write_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.ledger import Count, Ledger, read_ledger
from cryoverdict.features.class_average_list import read_class_run
from cryoverdict.features.star import read_star
from cryoverdict.rules.rule_set import RuleSet

STEP = "classify-again"
GOOD = "particles_good.star"
# What the last round is taken over with: its particles, and the averages that show them.
RESULTS = (GOOD, "class_averages_good.star", SELECTED)
TABLE = "particle_rounds.parquet"
FOLLOWS = {AGAIN: "another round follows", ENOUGH: "no other round follows"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSetup:
    """With what a round classifies and selects.

    ``values`` are the parameters of ``classification.json``; ``rules`` those on further rounds,
    ``run_rules`` those on a finished classification.
    """

    values: Mapping[str, float]
    classifier: Classifier
    classifier_name: str
    options: RunOptions
    judge: Judge
    rules: RuleSet
    run_rules: RuleSet
    rule_layers: Sequence[Path] = ()
    resident_mib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherRound:
    """One more round: what was classified and selected, below ``folder``.

    ``taken`` is false where the selection rejected so much that its guards were raised: then the
    particles of the round before stay.
    """

    result: RoundResult
    folder: Path
    lists: ParticleLists
    classified: ClassifiedStep
    selection: ClassSelection
    ledger: Ledger
    taken: bool

    @property
    def classified_folder(self) -> Path:
        """Where the classification lies."""
        return self.folder / "classified"

    @property
    def selected_folder(self) -> Path:
        """Where the selection lies."""
        return self.folder / "classes"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsDone:
    """All further rounds that were made, and the account.

    ``results`` are those of the first round and of each one taken, ``decisions`` say after each of
    them whether another follows.
    """

    rounds: tuple[FurtherRound, ...]
    results: tuple[RoundResult, ...]
    decisions: tuple[Decision, ...]
    ledger: Ledger

    @property
    def notes(self) -> tuple[str, ...]:
        """Say of each round why another followed, or none did, and what was not taken."""
        told = [
            f"{result.subject.capitalize()} rejected {result.rejected} of "
            f"{result.kept + result.rejected} particles: {FOLLOWS[decision.outcome]}. "
            + " ".join(e.text for e in decision.explanation.evidence)
            for result, decision in zip(self.results, self.decisions, strict=True)
        ]
        refused = [
            f"The selection of {r.result.subject} rejected so much that it is not taken."
            for r in self.rounds
            if not r.taken
        ]
        return (*(t.rstrip() for t in told), *refused)


def classify_again(
    first: Path,
    lists: ParticleLists,
    output: Path,
    *,
    setup: RoundSetup,
    after_each: Callable[[FurtherRound], None],
) -> RoundsDone:
    """Classify the good particles of a selection again while the rules say so.

    ``first`` is the folder of the first selection, ``lists`` all particles that were classified
    for it. Each further round lies in ``output/round_N``; ``output`` itself has the good particles
    and averages of the last round taken (or of ``first``), ``decisions.jsonl``, ``ledger.json``
    and a table of the particles. What a killed run finished is not classified again.
    """
    place = {name: i for i, name in enumerate(lists.names)}
    chosen = _places(first / GOOD, place)
    names = tuple(lists.names[i] for i in chosen)
    counted = read_ledger(first / "ledger.json").counts
    result = RoundResult(
        number=1, kept=len(chosen), rejected=sum(c.number for c in counted if c.bin == "rejected")
    )
    source, reasons, results = first, dict.fromkeys(names, ""), [result]
    rounds: list[FurtherRound] = []
    decisions = [decide_round(result, setup.rules)]
    while decisions[-1].explanation.favourable:
        share = expected_share(source / GOOD)
        one = _round(result.number + 1, chosen, lists, share, output, setup)
        rounds.append(one)
        after_each(one)
        if not one.taken:
            break
        source, result = one.selected_folder, one.result
        verdicts, assigned = one.selection.particles, one.selection.classes.assignments
        assert verdicts is not None
        assert assigned is not None
        for name, kept, why in zip(assigned.names, verdicts.kept, verdicts.reason, strict=True):
            kind, _, detail = why.partition(":")
            reasons[name] = "" if kept else f"{kind} in {result.subject}:{detail}"
        chosen = _places(source / GOOD, place)
        results.append(result)
        decisions.append(decide_round(result, setup.rules))
    made = {one.folder for one in rounds}
    for old in output.glob("round_*"):
        if old not in made:
            shutil.rmtree(old)
    for name in RESULTS:
        (output / name).unlink(missing_ok=True)
        if (source / name).is_file():
            shutil.copyfile(source / name, output / name)
    write_decisions(output / "decisions.jsonl", decisions)
    _write_table(reasons, output / TABLE)
    ledger = ledger_of(reasons)
    ledger.write(output / "ledger.json")
    return RoundsDone(
        rounds=tuple(rounds), results=tuple(results), decisions=tuple(decisions), ledger=ledger
    )


def expected_share(star: Path) -> float | None:
    """Return how many of the particles of a list are good, as its selection expects."""
    tables = [table for table in read_star(star).values() if IMAGE in table.columns]
    columns = [table.column(GOOD_PROBABILITY) for table in tables]
    known = [float(value) for column in columns for value in column or ()]
    return float(np.mean(known)) if known else None


def ledger_of(reasons: Mapping[str, str]) -> Ledger:
    """Return the account: what kept each particle out, nothing for those kept."""
    found = Counter(reasons.values())
    counts = [Count(bin="kept", number=found.pop("", 0))]
    counts += [Count(bin="rejected", reason=why, number=n) for why, n in sorted(found.items())]
    return Ledger(step=STEP, entries=(), counts=tuple(counts), items_file=TABLE)


def _round(
    number: int,
    chosen: NDArray[np.int64],
    lists: ParticleLists,
    passed_share: float | None,
    output: Path,
    setup: RoundSetup,
) -> FurtherRound:
    """Classify the chosen particles and select among their classes, knowing that they passed."""
    folder = output / f"round_{number}"
    part = ParticleLists(stack=part_of(lists.stack, chosen))
    classified = classify_step(
        part,
        setup.values,
        folder / "classified",
        classifier=setup.classifier,
        name=setup.classifier_name,
        rules=setup.run_rules,
        options=setup.options,
        resident_mib=setup.resident_mib,
    )
    run = read_class_run(folder / "classified")
    selection = select_classes(
        run, setup.judge, rule_layers=setup.rule_layers, passed_share=passed_share
    )
    (folder / "classes").mkdir(parents=True, exist_ok=True)
    ledger = write_selection(selection, folder / "classes")
    assert selection.particles is not None
    kept = int(selection.particles.kept.sum())
    raised = {g.subject.partition(":")[0] for g in selection.flagged}
    return FurtherRound(
        result=RoundResult(number=number, kept=kept, rejected=len(chosen) - kept),
        folder=folder,
        lists=part,
        classified=classified,
        selection=selection,
        ledger=ledger,
        taken=kept > 0 and not raised & {REJECTED_CLASSES, REJECTED_PARTICLES},
    )


def _places(star: Path, place: Mapping[str, int]) -> NDArray[np.int64]:
    """Return where the particles of a list stand among all, in the order of all."""
    if not star.is_file():
        msg = f"{star}: is not there; accepted is the folder of a decide-classes with particles"
        raise EngineError(msg)
    tables = [table for table in read_star(star).values() if IMAGE in table.columns]
    names = [name for table in tables for name in table.column(IMAGE) or ()]
    lost = next((name for name in names if name not in place), None)
    if lost is not None:
        msg = f"{star}: {lost} is not among the particles given; give those that were classified"
        raise EngineError(msg)
    return np.sort(np.array([place[name] for name in names], dtype=np.int64))


def _write_table(reasons: Mapping[str, str], path: Path) -> None:
    """Write one row a particle: its name, bin and reason."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "item": list(reasons),
        "bin": ["rejected" if why else "kept" for why in reasons.values()],
        "reason": list(reasons.values()),
    }
    temporary = path.with_name(path.name + ".part")
    pq.write_table(pa.table(columns), temporary)
    temporary.replace(path)
