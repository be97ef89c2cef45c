"""One classification step: run, judge the result, run once more where that is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_lists import ParticleLists
from cryoverdict.engine.classification_run.builtin import RunOptions
from cryoverdict.engine.classification_run.class_run import (
    CONVERGENCE,
    ClassRun,
    newest_stem,
    read_class_run,
)
from cryoverdict.engine.classification_run.finished import (
    classifying_code,
    fingerprint,
    is_finished,
    note_finished,
)
from cryoverdict.engine.classification_run.image_symptoms import image_symptoms
from cryoverdict.engine.classification_run.rerun import Verdict, judged, told
from cryoverdict.engine.classification_run.settings import RunSettings, run_settings
from cryoverdict.engine.classification_run.symptoms import symptoms_of
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.ledger import Count, Entry, Ledger
from cryoverdict.engine.parameter_decision import ParameterDecision
from cryoverdict.engine.parameter_record import read_records, write_records
from cryoverdict.features.feature import Answer
from cryoverdict.rules.rule_set import RuleSet

Classifier = Callable[[ParticleLists, ClassificationParameters, Path, RunOptions], None]
SUFFIXES = ("classes.mrcs", "data.star", "model.star", "optimiser.star", "sampling.star")
ATTEMPT = ".attempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedStep:
    """What a classification step left in its folder.

    ``run`` is the run that was kept; ``decisions`` what was said of each run, in order; ``notes``
    sentences a reader must know; ``repeated`` says that a second run was made, ``reused`` that the
    result was there already.
    """

    run: ClassRun
    decisions: tuple[ParameterDecision, ...]
    ledger: Ledger
    notes: tuple[str, ...]
    repeated: bool
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One run with what it was asked and what its result shows."""

    run: ClassRun
    values: Mapping[str, float]
    verdict: Verdict
    notes: tuple[str, ...]


def classify_step(
    lists: ParticleLists,
    values: Mapping[str, float],
    output: Path,
    *,
    classifier: Classifier,
    name: str,
    rules: RuleSet,
    options: RunOptions,
    resident_mib: int | None = None,
) -> ClassifiedStep:
    """Classify into ``output`` and judge the result; a result that is there already is kept.

    ``values`` are the parameters of ``classification.json``, ``name`` the classifier's. Where a
    rule sees that the run failed (collapse, streaks, overfitting, no end) it is run once more with
    what the rules change, and the run with fewer faults is kept. Writes ``run_itNNN_*``,
    ``convergence.json``, ``decisions.jsonl``, ``ledger.json``.
    """
    settings = run_settings(values, lists.stack, resident_mib=resident_mib)
    asked = asdict(settings.parameters)
    del asked["resident_mib"]
    mark = fingerprint(
        lists,
        {
            "code": classifying_code(),
            "classifier": name,
            "seed": options.seed,
            "rules": rules.digest,
            "values": dict(values),
            "parameters": asked,
        },
    )
    stem = newest_stem(output)
    if stem is not None and is_finished(output, mark):
        run = read_class_run(output, stem)
        decisions = read_records(output / "decisions.jsonl")
        notes = (*lists.notes, *settings.notes, *(f for d in decisions for f in d.findings))
        return ClassifiedStep(
            run=run,
            decisions=decisions,
            ledger=ledger_of(run, lists),
            notes=notes,
            repeated=len(decisions) > 1,
            reused=True,
        )
    return _classified(lists, values, settings, output, classifier, rules, options, mark)


def _classified(
    lists: ParticleLists,
    values: Mapping[str, float],
    settings: RunSettings,
    output: Path,
    classifier: Classifier,
    rules: RuleSet,
    options: RunOptions,
    mark: str,
) -> ClassifiedStep:
    """Run, judge, run again if need be, and put the better result in its place."""
    place = output / ATTEMPT
    first = _attempt(lists, values, settings, place / "1", classifier, rules, options)
    kept, kept_place, decisions = first, place / "1", [first.verdict.decision]
    if first.verdict.changes:
        changed = {**first.values, **{n: new for n, (_, new) in first.verdict.changes.items()}}
        again = run_settings(changed, lists.stack, resident_mib=settings.parameters.resident_mib)
        second = _attempt(lists, changed, again, place / "2", classifier, rules, options)
        better = len(second.verdict.fired) <= len(first.verdict.fired)
        if better:
            kept, kept_place = second, place / "2"
        decisions = [
            _with_findings(first, (f"Run once more: {told(first.verdict.changes)}.",)),
            _with_findings(second, (_outcome(first, second, better),)),
        ]
    notes = [*lists.notes, *kept.notes, *(f for d in decisions for f in d.findings)]
    ledger = ledger_of(kept.run, lists)
    names = _install(kept_place, kept.run.stem, output)
    write_records(output / "decisions.jsonl", decisions)
    ledger.write(output / "ledger.json")
    note_finished(output, mark, (*names, "decisions.jsonl", "ledger.json"))
    shutil.rmtree(place)
    return ClassifiedStep(
        run=kept.run,
        decisions=tuple(decisions),
        ledger=ledger,
        notes=tuple(notes),
        repeated=bool(first.verdict.changes),
        reused=False,
    )


def _attempt(
    lists: ParticleLists,
    values: Mapping[str, float],
    settings: RunSettings,
    folder: Path,
    classifier: Classifier,
    rules: RuleSet,
    options: RunOptions,
) -> _Attempt:
    """Run once and judge the result."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    classifier(lists, settings.parameters, folder, options)
    stem = newest_stem(folder)
    if stem is None:
        msg = f"{folder}: the classifier left no result; accepted are the files run_itNNN_*"
        raise EngineError(msg)
    run = read_class_run(folder, stem)
    ran = settings.parameters
    used = {
        **values,
        "classes": float(ran.classes),
        "prior_strength": ran.prior_strength,
        "iterations": float(ran.iterations),
        "resolution_limit_a": ran.resolution_limit_a,
    }
    found: dict[str, Answer] = dict(symptoms_of(run, ran.mask_diameter_a))
    found |= image_symptoms(run, lists.stack, ran, found["class_resolution_a"])
    verdict = judged(
        rules, subject=f"{stem}_model.star", values=used, symptoms=found, particles=len(lists.stack)
    )
    return _Attempt(run=run, values=used, verdict=verdict, notes=settings.notes)


def _with_findings(attempt: _Attempt, findings: tuple[str, ...]) -> ParameterDecision:
    """Return the decision on a run with sentences added."""
    decision = attempt.verdict.decision
    return replace(decision, findings=(*decision.findings, *findings))


def _outcome(first: _Attempt, second: _Attempt, better: bool) -> str:
    """Say what the second run brought."""
    before, after = len(first.verdict.fired), len(second.verdict.fired)
    which = "The second run is kept" if better else "The first run is kept"
    left = f"{after} of the rules on failed runs still speak" if after else "no rule objects to it"
    if better:
        return f"{which}: {left} (the first had {before})."
    return f"{which}: the second shows {after} faults, the first {before}."


def _install(source: Path, stem: str, output: Path) -> list[str]:
    """Move a run's files into their place, those of older runs out of it; return their names."""
    for old in output.glob("run_it*_*"):
        if old.name.split("_", 2)[2] in SUFFIXES:
            old.unlink()
    names = [f"{stem}_{suffix}" for suffix in SUFFIXES if (source / f"{stem}_{suffix}").is_file()]
    if (source / CONVERGENCE).is_file():
        names.append(CONVERGENCE)
    for name in names:
        (source / name).replace(output / name)
    return names


def ledger_of(run: ClassRun, lists: ParticleLists) -> Ledger:
    """Return the account: particles by class, those of ``STEM_data.star``, and the others each.

    A particle that stands twice is rejected, one that cannot be read an error.
    """
    counts = [
        Count(bin="kept", reason=f"class {k + 1}", number=int(n))
        for k, n in enumerate(run.count.tolist())
        if n
    ]
    entries = [Entry(item=i, bin="rejected", reason=why) for i, why in lists.duplicates.items()]
    entries += [Entry(item=i, bin="error", reason=why) for i, why in lists.errors.items()]
    return Ledger(
        step="classify",
        entries=tuple(entries),
        counts=tuple(counts),
        items_file=f"{run.stem}_data.star",
    )
