"""Put a judge together: a kind, the rules a site wants, the model it uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.kind_model import KindModel, read_model, shipped_model
from cryoverdict.engine.models.model_folder import promoted_path
from cryoverdict.rules.rule_loader import load_rules


def seat_judge(
    kind: DecisionKind, *, rule_layers: Sequence[Path] = (), model_path: Path | None = None
) -> Judge:
    """Return the judge of one kind, with a site's rule folders over the shipped rules.

    The model is the one named, else the promoted one, else the shipped one.

    Raises `RuleError` with every fault of the rules, `EngineError` for a model of another kind.
    """
    rules = load_rules(kind.id, rule_layers, features=kind.units())
    model = installed_model(kind.id) if model_path is None else read_model(model_path)
    if model.kind != kind.id:
        msg = f"{model_path}: a model for {model.kind}; accepted is one for {kind.id}"
        raise EngineError(msg)
    return Judge(kind=kind, rules=rules, model=model)


def installed_model(kind_id: str) -> KindModel:
    """Return the model in use for a kind of decision: the promoted one, else the shipped one."""
    path = promoted_path(kind_id)
    return shipped_model(kind_id) if path is None else read_model(path)
