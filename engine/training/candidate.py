"""A candidate model: fitted on labelled sets, not yet evaluated, not yet in use."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cryoverdict.engine.kind import DecisionKind
from cryoverdict.engine.models.kind_model import KindModel
from cryoverdict.engine.models.offset_model import Recipe
from cryoverdict.engine.training.labelled_set import SIMULATED, LabelledSet
from cryoverdict.engine.training.training import train_kind
from cryoverdict.features.embedding import taught_by
from cryoverdict.rules.rule_set import RuleSet

COEFFICIENTS = "coefficients.csv"
NORMAL_95 = 1.96


def micrograph_recipe(seed: int) -> Recipe:
    """Return the settings for micrographs: chosen on simulated sessions that were left out.

    Thousands of rows bear deeper trees than few, and a session is its micrographs' best measure.
    """
    return Recipe(rounds=220, depth=4, seed=seed, company=True)


def train_candidate(
    kind: DecisionKind,
    rules: RuleSet,
    sets: Sequence[LabelledSet],
    output: Path,
    *,
    recipe: Recipe,
) -> KindModel:
    """Fit a kind's models on all sets; write ``KIND.json`` and ``coefficients.csv``.

    Data sets that the image network learnt from teach models without their embeddings: it knows
    them by heart. Same sets, rules and recipe: same bytes. Raises `EngineError` where there is too
    little to learn from.
    """
    sets = unspoilt(sets)
    card = card_of(kind, rules, sets, recipe)
    model = train_kind(kind, rules, sets, recipe=recipe, card=card, limits=True)
    output.mkdir(parents=True, exist_ok=True)
    model.write(output / f"{kind.id}.json")
    write_coefficients(output / COEFFICIENTS, model)
    return model


def write_coefficients(path: Path, model: KindModel) -> None:
    """Write the GLMs' coefficients with their 95 % intervals, the strongest of each target first.

    A coefficient is in log-odds a robust deviation of its feature; where a sign is forbidden the
    feature is left out of the fit and of the file.
    """
    targets = [model.favourable, *([model.grade] if model.grade else []), *model.defects.values()]
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["target", "feature", "coefficient", "low", "high"])
        for one in targets:
            glm = one.members.glm
            for j in np.argsort(-np.abs(glm.coefficients), kind="stable"):
                value, error = float(glm.coefficients[j]), float(glm.standard_errors[j])
                if error > 0.0:
                    ends = (value - NORMAL_95 * error, value + NORMAL_95 * error)
                    told = [f"{x:.4f}" for x in (value, *ends)]
                    table.writerow([one.target, one.features[j], *told])


def unspoilt(sets: Sequence[LabelledSet]) -> list[LabelledSet]:
    """Return sets in which those that the image network learnt from have lost their embeddings.

    What it says of its own lessons is too good to be learnt from, or to be judged on.
    """
    known = taught_by()
    return [
        replace(s, table=replace(s.table, embeddings={})) if s.name in known else s for s in sets
    ]


def card_of(
    kind: DecisionKind, rules: RuleSet, sets: Sequence[LabelledSet], recipe: Recipe
) -> dict[str, Any]:
    """Return what a reader must know of a model: what it learnt from, its limits.

    Promotion adds how good it is.
    """
    names = sorted({s.name for s in sets})
    simulated = [n for n in names if n.startswith(SIMULATED)]
    labels = [s.labels[subject] for s in sets for subject in s.table.subjects]
    good = sum(label.favourable for label in labels)
    return {
        "kind": kind.id,
        "learnt_from": (
            f"The model was fitted on {len(labels)} rows of {len(names)} data sets: "
            f"{len(simulated)} simulated, {len(names) - len(simulated)} observed."
        ),
        "limits": (
            "Simulated sessions are not real ones: where a real data set differs from all of them, "
            "decisions are flagged for review."
            if simulated
            else "The labels are one site's own."
        ),
        "rows": {
            kind.favourable: good,
            kind.unfavourable: len(labels) - good,
            "unsure": sum(label.weight < 1.0 for label in labels),
        },
        "data_sets": names,
        "feature_tables": sorted(s.table.digest for s in sets),
        "rules": rules.digest,
        "recipe": recipe.to_dict(),
    }
