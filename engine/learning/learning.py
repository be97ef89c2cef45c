"""Learning from finished runs: lesson, training, guards, and the folder that holds what was learnt.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cryoverdict.engine.classification_run.settings import run_settings
from cryoverdict.engine.decision import Decision, write_decisions
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.learning.finished_run import FinishedRun, read_finished_runs
from cryoverdict.engine.learning.frozen_particles import (
    FrozenParticles,
    read_frozen,
    write_frozen,
)
from cryoverdict.engine.learning.guard_decision import judge_learning
from cryoverdict.engine.learning.guards import lesson_facts, training_facts
from cryoverdict.engine.learning.learnt_model import LearntModel, read_learnt_model
from cryoverdict.engine.learning.micrograph_yields import (
    Yields,
    disagreements,
    fitted_yields,
)
from cryoverdict.engine.learning.model_record import model_digest
from cryoverdict.engine.learning.particle_lesson import (
    ParticleLesson,
    gather_lesson,
    joined_lessons,
)
from cryoverdict.engine.learning.particle_training import TrainedClassifier, train_particles
from cryoverdict.engine.learning.quick_picking import (
    LOWEST_THRESHOLD,
    with_threshold,
    write_quick_picking,
)
from cryoverdict.engine.learning.run_cost import RunCost, read_cost
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.engine.picking_files.template_file import read_templates
from cryoverdict.engine.training.quality import area_under_roc

WORK = ".work"
CLASSIFICATION, CONFIRMATION = "classification.json", "confirmation.json"
QUEUE = "queue.csv"
# A confirmation has few particles: so many for a class, and fewer iterations.
CONFIRMED_A_CLASS, CONFIRMATION_ITERATIONS = 60, 15
USUAL_SAMPLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    """What was learnt, the decision whether to use it, and the runs and lesson that taught."""

    runs: tuple[FinishedRun, ...]
    model: LearntModel
    decision: Decision
    lesson: ParticleLesson
    trained: TrainedClassifier
    yields: Yields | None


def learn(
    folders: Sequence[Path],
    output: Path,
    *,
    rule_layers: Sequence[Path] = (),
    before: Path | None = None,
    seed: int = 0,
    threads: int = 1,
    tick: Callable[[str], None] = lambda _: None,
) -> Learnt:
    """Learn from finished runs into a folder.

    Writes what `read_learnt_model` reads, picking.json and classification.json for the next data,
    confirmation.json, queue.csv and decisions.jsonl. ``before`` is an earlier model, on whose
    frozen particles the new one must not be worse. Where a guard speaks against it decisions.jsonl
    says why and nothing else is written; then, and for runs that cannot teach, raises
    `EngineError` with all reasons.
    """
    runs = read_finished_runs(folders)
    first = max(runs, key=lambda run: len(run.good.xy_px))
    lessons = []
    for number, run in enumerate(runs):
        work = output / WORK / f"{number:03}"
        lessons.append(gather_lesson(run, first.classification, work, threads=threads))
        tick(f"picked {run.name}")
    lesson = joined_lessons(lessons)
    name = ", ".join(run.name for run in runs)
    _refuse(judge_learning(name, lesson_facts(lesson), rule_layers, {}), output)
    settings = run_settings(first.classification.parameters, lesson.stack)
    trained = train_particles(lesson, settings.parameters, seed=seed, threads=threads)
    tick("trained")
    lost = None if before is None else _frozen_auc_lost(before, trained)
    facts = training_facts(lesson, trained, lost)
    decision = judge_learning(name, facts, rule_layers, {})
    _refuse(decision, output)
    yields = fitted_yields(runs, lesson)
    model = LearntModel(
        eyes=trained.eyes,
        particles=trained.model,
        yields=None if yields is None else yields.model,
        card=_card(runs, lesson, trained, yields, decision, facts),
    )
    _write(output, first, model, lesson, trained)
    _write_queue(output / QUEUE, runs, yields)
    digest = {"model": model_digest(output)}
    decision = replace(decision, digests={**decision.digests, **digest})
    write_decisions(output / "decisions.jsonl", [decision])
    shutil.rmtree(output / WORK)
    return Learnt(
        runs=tuple(runs),
        model=model,
        decision=decision,
        lesson=lesson,
        trained=trained,
        yields=yields,
    )


def _refuse(decision: Decision, output: Path) -> None:
    """Raise `EngineError` where the guards speak against learning; the decision is kept."""
    if decision.explanation.favourable:
        return
    write_decisions(output / "decisions.jsonl", [decision])
    texts = [e.text for e in decision.explanation.evidence if e.source == "gate"]
    msg = f"{decision.subject}: nothing is learnt: {' '.join(texts)}"
    raise EngineError(msg)


def _frozen_auc_lost(before: Path, trained: TrainedClassifier) -> float:
    """Return by how much the new model is worse than an earlier one on its frozen particles."""
    frozen: FrozenParticles = read_frozen(before)
    old = frozen.log_odds(read_learnt_model(before).eyes, read_learnt_model(before).particles)
    new = frozen.log_odds(trained.eyes, trained.model)
    return area_under_roc(old, frozen.good) - area_under_roc(new, frozen.good)


def _write(
    output: Path,
    run: FinishedRun,
    model: LearntModel,
    lesson: ParticleLesson,
    trained: TrainedClassifier,
) -> None:
    """Write the model and the parameters that the next data are worked on with."""
    templates = read_templates(run.selection / "class_averages_good.star")
    write_quick_picking(output, with_threshold(run.picking, LOWEST_THRESHOLD), templates)
    run.classification.write(output / CLASSIFICATION)
    confirmation_parameters(run.classification).write(output / CONFIRMATION)
    write_frozen(output, lesson, trained.kept_back)
    model.write(output)


def confirmation_parameters(settled: ParameterFile) -> ParameterFile:
    """Return how a confirmation sample is classified: fewer classes, fewer iterations."""
    classes = min(settled.number("classes"), max(2.0, float(USUAL_SAMPLE // CONFIRMED_A_CLASS)))
    changed: Mapping[str, float] = {
        **settled.parameters,
        "classes": classes,
        "iterations": min(settled.number("iterations"), float(CONFIRMATION_ITERATIONS)),
    }
    return replace(settled, parameters=changed)


def _card(
    runs: Sequence[FinishedRun],
    lesson: ParticleLesson,
    trained: TrainedClassifier,
    yields: Yields | None,
    decision: Decision,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a reader must know: what it learnt from, how good it is, its limits."""
    costs: list[RunCost] = [cost for run in runs if (cost := read_cost(run.folder)) is not None]
    return {
        "learnt_from": [run.name for run in runs],
        "limits": (
            "The labels are the run's own result: what its selection of classes got wrong the "
            "model repeats. It knows one particle at one sampling."
        ),
        "stack": sum(len(run.good.xy_px) for run in runs),
        "diameter_px": round(lesson.diameter_px, 4),
        "particles": {
            "good": int(lesson.good.sum()),
            "junk": int((~lesson.good).sum()),
            "micrographs": len(np.unique(lesson.micrograph)),
            "kept_back": len(np.unique(lesson.micrograph[trained.kept_back])),
        },
        "facts": {k: round(v, 6) for k, v in facts.items() if isinstance(v, float)},
        "yields": None if yields is None else yields.card(),
        "guards": [e.to_dict() for e in decision.explanation.evidence],
        "cost": None if not costs else RunCost.total(costs).to_dict(),
    }


def _write_queue(path: Path, runs: Sequence[FinishedRun], yields: Yields | None) -> None:
    """Write the micrographs on which rules and learnt yield disagree, the most doubtful first."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["micrograph", "run", "keep_probability", "learnt_worth", "good", "picked"])
        for row in () if yields is None else disagreements(runs, yields):
            table.writerow(row)
