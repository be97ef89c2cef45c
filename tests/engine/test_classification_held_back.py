"""Overfitting and stalls, each made to happen with the embedded classifier and then seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from cryoverdict.engine.classification import run, schedule, seeding
from cryoverdict.engine.classification.particle_lists import ParticleLists, read_particle_lists
from cryoverdict.engine.classification.simulated_particles import (
    simulated_particles,
    write_particles,
)
from cryoverdict.engine.classification_run.builtin import RunOptions, classify_builtin
from cryoverdict.engine.classification_run.step import ClassifiedStep, classify_step
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.rules.rule_loader import load_rules

RULES = load_rules("classification", features=CLASSIFICATION.units())
VALUES = {
    "classes": 4.0,
    "mask_diameter_a": 190.0,
    "resolution_limit_a": 14.0,
    "prior_strength": 1.0,
    "iterations": 8.0,
    "offset_range_a": 14.0,
}


def particles(
    folder: Path, contrast: float, box: int = 40, pixel_size_a: float = 6.0
) -> ParticleLists:
    truth = simulated_particles(
        seed=3,
        count=240,
        species=("spike",),
        junk_share=0.0,
        contrast=contrast,
        box=box,
        pixel_size_a=pixel_size_a,
        shift_sigma_px=0.5,
    )
    return read_particle_lists([write_particles(truth, folder)])


def classified(lists: ParticleLists, output: Path, **changes: float) -> ClassifiedStep:
    output.mkdir()
    return classify_step(
        lists,
        {**VALUES, **changes},
        output,
        classifier=classify_builtin,
        name="builtin",
        rules=RULES,
        options=RunOptions(device="cpu"),
    )


def fired(found: ClassifiedStep) -> set[str]:
    """Return the rules that spoke on the first run."""
    return {
        e.name
        for settled in found.decisions[0].parameters
        for e in settled.evidence
        if e.source == "rule"
    }


def test_views_that_are_there_are_left_alone(tmp_path: Path) -> None:
    found = classified(particles(tmp_path / "in", 2.0), tmp_path / "out")
    facts = found.decisions[0].facts
    assert fired(found) == set()
    assert facts["held_back_ratio"] > 0.5
    assert facts["round_share"] == 0.0


def test_noise_that_a_strong_prior_kept_is_seen_and_run_once_more_coarser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a plain expectation-maximisation, every particle meets its own noise again.
    monkeypatch.setattr(run, "LEAST_LANES", 99)
    found = classified(
        particles(tmp_path / "in", 1e-4, box=64, pixel_size_a=3.54),
        tmp_path / "out",
        prior_strength=40.0,
        resolution_limit_a=10.0,
        classes=8.0,
        iterations=15.0,
    )
    facts = found.decisions[0].facts
    assert facts["held_back_ratio"] < 0.35
    assert "classification-rerun-held-back" in fired(found)
    assert found.repeated
    assert "resolution_limit_a" in found.decisions[0].findings[0]


def test_a_stall_is_seen_and_run_once_more_with_a_stronger_prior(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Averages of hundreds at random angles, compared too bluntly: the saddle point.
    monkeypatch.setattr(schedule, "START_SHARPNESS", 0.3)
    monkeypatch.setattr(seeding, "SEED_PARTICLES", 200)
    found = classified(particles(tmp_path / "in", 0.1), tmp_path / "out")
    facts = found.decisions[0].facts
    assert facts["round_share"] == 1.0
    assert "classification-rerun-stalled" in fired(found)
    assert np.isfinite(found.run.share).all()
    assert "prior_strength 2 instead of 1" in found.decisions[0].findings[0]
