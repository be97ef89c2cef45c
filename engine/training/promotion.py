"""Putting a candidate into use: checked, installed with its card, or refused with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.company import uncompared
from cryoverdict.engine.models.kind_model import KindModel, read_model
from cryoverdict.engine.models.model_folder import models_folder
from cryoverdict.engine.training.evaluation import FILE, INSTALLED, read_evaluation
from cryoverdict.features.embedding import embedding_name
from cryoverdict.rules.rule_set import RuleSet

# A candidate whose area under the ROC curve is lower by more than this is worse.
WORSE_AUC = 0.01
WORSE_CALIBRATION = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """Where a model was installed, and what was overlooked because somebody said so."""

    path: Path
    model: KindModel
    overlooked: tuple[str, ...]


def promote(
    kind: DecisionKind,
    rules: RuleSet,
    folder: Path,
    installed: KindModel,
    *,
    to: Path | None = None,
    force: bool = False,
) -> Promoted:
    """Install the candidate in ``folder`` with its evaluation in its card.

    ``to`` is another folder than the user's. Raises `EngineError` with every reason against it,
    unless ``force``; a candidate of another kind or without an evaluation of its own is refused
    always.
    """
    candidate = read_model(folder / f"{kind.id}.json")
    evaluation = read_evaluation(folder / FILE)
    if candidate.kind != kind.id or evaluation["kind"] != kind.id:
        msg = f"{folder}: a model of {candidate.kind}; accepted is one of {kind.id}"
        raise EngineError(msg)
    if evaluation["model"] != candidate.digest:
        msg = (
            f"{folder / FILE}: judges another model than {kind.id}.json; run "
            f"`cryoverdict evaluate` on this one"
        )
        raise EngineError(msg)
    against = [*_foreign(kind, rules, candidate), *_worse(kind, evaluation, installed)]
    if against and not force:
        reasons = "; ".join(against)
        msg = f"{folder}: not promoted: {reasons}. Use --force to install it all the same"
        raise EngineError(msg)
    card = {**candidate.card, "evaluation": evaluation["chapters"], "overlooked": against}
    model = replace(candidate, card=card)
    place = to or models_folder()
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{kind.id}.json"
    model.write(path)
    return Promoted(path=path, model=model, overlooked=tuple(against))


def _foreign(kind: DecisionKind, rules: RuleSet, candidate: KindModel) -> list[str]:
    """Return in what respect a candidate was not made for this program as it is."""
    reasons = []
    today = {f.name for f in kind.features()} | set(
        candidate.basis.names if candidate.basis else ()
    )
    odd = sorted(set(map(uncompared, candidate.favourable.features)) ^ today)
    if odd:
        reasons.append(
            f"it was fitted on other features than this version measures ({odd[0]} differs); "
            "measure and train anew"
        )
    if candidate.basis is not None and candidate.basis.network != embedding_name():
        reasons.append(
            f"its embeddings are by the network {candidate.basis.network}, installed is "
            f"{embedding_name() or 'none'}"
        )
    if candidate.card.get("rules") != rules.digest:
        reasons.append("it was fitted beside other rules than those in force; train it anew")
    return reasons


def _worse(kind: DecisionKind, evaluation: Mapping[str, Any], installed: KindModel) -> list[str]:
    """Return in what respect a candidate is worse than the installed model.

    Data sets that the installed model did not learn from judge both side by side; without any, its
    card says how good it was on its own.
    """
    reasons = []
    before = installed.card.get("evaluation", {})
    for origin, chapter in evaluation["chapters"].items():
        mine = chapter["targets"].get(kind.favourable)
        theirs = chapter["simpler_judges"].get(INSTALLED)
        where = f"on the same {origin} data sets"
        if theirs is None and isinstance(before.get(origin), Mapping):
            theirs = before[origin]["targets"].get(kind.favourable)
            where = f"on its own {origin} data sets"
        if mine is None or theirs is None:
            continue
        for name, words, sign, slack in (
            ("auc", "area under the ROC curve", 1.0, WORSE_AUC),
            ("calibration_error", "calibration error", -1.0, WORSE_CALIBRATION),
        ):
            now, then = mine[name][0], theirs[name][0]
            if now is not None and then is not None and sign * (then - now) > slack:
                reasons.append(
                    f"{origin}: {words} {now:.3f}, the installed model has {then:.3f} {where}"
                )
    return reasons
