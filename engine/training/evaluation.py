"""How good a candidate is on data sets it has not seen, beside the installed model and others."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.training.candidate import unspoilt
from cryoverdict.engine.training.held_out import (
    fixed_judges,
    held_out_scores,
    target_log_odds,
)
from cryoverdict.engine.training.labelled_set import SIMULATED, Label, LabelledSet
from cryoverdict.engine.training.quality import Quality, Scores, quality
from cryoverdict.engine.training.training import (
    defect_truth,
    field_weights,
    grade_truth,
    moderate_truth,
)
from cryoverdict.features.input_error import InputError
from cryoverdict.rules.rule_set import RuleSet

FILE = "evaluation.json"
INSTALLED = "installed model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """The quality on rows of one origin: of each target, of the sure verdicts, of other judges.

    ``moderate`` is that of each defect where those that are there are of moderate strength.
    """

    data: str
    targets: dict[str, Quality]
    moderate: dict[str, Quality]
    sure: Quality
    simpler: dict[str, Quality]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "data": self.data,
            "targets": {name: q.to_dict() for name, q in self.targets.items()},
            "moderate_defects": {name: q.to_dict() for name, q in self.moderate.items()},
            "sure_verdicts": self.sure.to_dict(),
            "simpler_judges": {name: q.to_dict() for name, q in self.simpler.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The judgement on one candidate; ``chapters`` are ``simulated`` and ``observed``.

    ``model`` and ``installed`` are digests.
    """

    kind: str
    model: str
    installed: str
    chapters: dict[str, Chapter]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "kind": self.kind,
            "model": self.model,
            "installed": self.installed,
            "chapters": {name: c.to_dict() for name, c in self.chapters.items()},
        }

    def write(self, folder: Path) -> None:
        """Write ``evaluation.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8")

    def facts(self) -> dict[str, str]:
        """Return one line a target for a person to read."""
        told = {}
        for origin, chapter in self.chapters.items():
            told[origin] = chapter.data
            for name, q in (chapter.targets | chapter.simpler).items():
                told[f"{origin}, {name}"] = q.sentence()
            for name, q in chapter.moderate.items():
                told[f"{origin}, moderate {name}"] = q.sentence()
            told[f"{origin}, sure verdicts"] = chapter.sure.sentence()
        return told


def read_evaluation(path: Path) -> dict[str, Any]:
    """Return the record of an ``evaluation.json``; raises `InputError` for anything else."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not {"kind", "model", "chapters"} <= set(record):
            msg = f"it has {', '.join(sorted(record))}"
            raise ValueError(msg)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: no evaluation ({error}); write one with `cryoverdict evaluate`"
        raise InputError(msg) from error
    found: dict[str, Any] = record
    return found


def evaluate(
    kind: DecisionKind,
    rules: RuleSet,
    sets: Sequence[LabelledSet],
    candidate: KindModel,
    installed: KindModel,
    *,
    folds: int,
    threads: int = 1,
    done: Callable[[object], None] = lambda _: None,
) -> Evaluation:
    """Judge a candidate on labelled sets.

    Sets that the candidate learnt from are judged by models fitted the same way without them, in
    ``folds`` parts that keep data sets whole, ``threads`` at a time; other sets by the candidate as
    it is. The installed model is judged beside it on the sets that it has not learnt from. Sets
    that taught the image network are judged without their embeddings. Raises `EngineError` where
    the sets are too few to be left out.
    """
    sets = unspoilt(sets)
    learnt = set(candidate.card.get("data_sets", ()))
    known = [s for s in sets if s.name in learnt]
    fresh = [s for s in sets if s.name not in learnt]
    scores: dict[str, Scores] = {}
    simpler: dict[str, Scores] = {}
    if known:
        _check_folds(known, folds)
        recipe = Recipe.from_dict(candidate.card.get("recipe", {}))
        scores, simpler = held_out_scores(
            kind, rules, known, folds=folds, recipe=recipe, threads=threads, done=done
        )
    ordered = [*known, *fresh]
    before = sum(len(s.table.subjects) for s in known)
    total = sum(len(s.table.subjects) for s in ordered)
    scores = {name: _padded(values, 0, total) for name, values in scores.items()}
    simpler = {name: _padded(values, 0, total) for name, values in simpler.items()}
    _judge_fresh(rules, fresh, candidate, scores, before, total)
    unseen = [s for s in ordered if s.name not in set(installed.card.get("data_sets", ()))]
    if unseen:
        simpler[INSTALLED] = _by_installed(rules, ordered, unseen, installed)
    if fresh:
        _add_fixed(rules, fresh, simpler, before, total)
    return Evaluation(
        kind=kind.id,
        model=candidate.digest,
        installed=installed.digest,
        chapters=_chapters(kind, ordered, scores, simpler, folds if known else 0),
    )


def _check_folds(sets: Sequence[LabelledSet], folds: int) -> None:
    """Raise `EngineError` where leaving a fold out leaves fewer than two data sets."""
    groups = len({s.name for s in sets})
    if groups - -(-groups // folds) < 2:
        msg = f"{groups} data sets in {folds} folds leave fewer than two to learn from; give more"
        raise EngineError(msg)


def _padded(values: Scores, before: int, total: int) -> Scores:
    """Return scores at their place among all rows, NaN elsewhere."""
    padded = np.full(total, np.nan)
    padded[before : before + len(values)] = values
    return padded


def _judge_fresh(
    rules: RuleSet,
    fresh: Sequence[LabelledSet],
    candidate: KindModel,
    scores: dict[str, Scores],
    before: int,
    total: int,
) -> None:
    """Add what the candidate itself says of sets that it has not learnt from."""
    for labelled in fresh:
        end = before + len(labelled.table.subjects)
        for target, values in target_log_odds(candidate, rules, labelled).items():
            scores.setdefault(target, np.full(total, np.nan))[before:end] = values
        before = end


def _by_installed(
    rules: RuleSet,
    ordered: Sequence[LabelledSet],
    unseen: Sequence[LabelledSet],
    installed: KindModel,
) -> Scores:
    """Return what the installed model says of the favourable outcome, NaN of other sets."""
    judged = {id(s) for s in unseen}
    return np.concatenate(
        [
            target_log_odds(installed, rules, s)[installed.favourable.target]
            if id(s) in judged
            else np.full(len(s.table.subjects), np.nan)
            for s in ordered
        ]
    )


def _add_fixed(
    rules: RuleSet,
    fresh: Sequence[LabelledSet],
    simpler: dict[str, Scores],
    before: int,
    total: int,
) -> None:
    """Add what judges that learn nothing say of fresh sets."""
    for name, values in fixed_judges(rules, fresh).items():
        simpler.setdefault(name, np.full(total, np.nan))[before:] = values


def _chapters(
    kind: DecisionKind,
    sets: Sequence[LabelledSet],
    scores: dict[str, Scores],
    simpler: dict[str, Scores],
    folds: int,
) -> dict[str, Chapter]:
    """Return the judgement on simulated and observed rows apart."""
    labels = [s.labels[subject] for s in sets for subject in s.table.subjects]
    group = np.array([s.name for s in sets for _ in s.table.subjects])
    simulated = np.char.startswith(group, SIMULATED)
    truths: dict[str, Callable[[Label], bool | None]] = {
        kind.favourable: lambda x: x.favourable,
        kind.grades[0]: grade_truth(kind.grades[0]),
        **{d: defect_truth(d) for d in kind.defects},
    }
    chapters = {}
    for origin, inside in (("simulated", simulated), ("observed", ~simulated)):
        if not inside.any():
            continue
        here = _Here(labels=labels, group=group, inside=inside)
        favourable = scores[kind.favourable]
        count = len(np.unique(group[inside]))
        way = (
            f"left out whole, in {folds} folds, of the fit that judges them" if folds else "unseen"
        )
        chapters[origin] = Chapter(
            data=f"{count} data sets, {int(inside.sum())} rows, data sets {way}",
            targets={
                name: judged
                for name, values in scores.items()
                if (judged := here.judged(values, truths[name], even=name == kind.favourable))
            },
            moderate={
                name: judged
                for name in kind.defects
                if simulated[inside].all() and name in scores
                if (judged := here.judged(scores[name], moderate_truth(name), even=False))
            },
            sure=here.judged(favourable, lambda x: x.favourable if x.weight >= 1.0 else None)
            or quality(np.zeros(1), np.ones(1, bool)),
            simpler={
                name: judged
                for name, values in simpler.items()
                if (judged := here.judged(values, truths[kind.favourable], even=True))
            },
        )
    return chapters


@dataclass(frozen=True, slots=True, kw_only=True)
class _Here:
    """The rows of one chapter."""

    labels: Sequence[Label]
    group: NDArray[np.str_]
    inside: NDArray[np.bool_]

    def judged(
        self, values: Scores, truth: Callable[[Label], bool | None], *, even: bool = True
    ) -> Quality | None:
        """Return the quality on the rows with a truth and a score; ``None`` without any.

        ``even``: good and bad rows count alike in sum, as the favourable outcome's model is fitted.
        """
        answers = [truth(label) for label in self.labels]
        has = np.array([a is not None for a in answers]) & self.inside & np.isfinite(values)
        if not has.any():
            return None
        true = np.array([bool(a) for a in answers])[has]
        weight = None
        if even:
            weight = field_weights([x for x, h in zip(self.labels, has, strict=True) if h])
        return quality(values[has], true, weight, self.group[has])
