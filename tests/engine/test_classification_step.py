"""The classification step without a classifier: resumed, run once more, accounted for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_lists import ParticleLists, read_particle_lists
from cryoverdict.engine.classification_run.builtin import RunOptions
from cryoverdict.engine.classification_run.class_run import write_history
from cryoverdict.engine.classification_run.step import ClassifiedStep, classify_step
from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.kinds.classification import CLASSIFICATION
from cryoverdict.engine.ledger import read_ledger
from cryoverdict.features.star import table_of, write_star
from cryoverdict.rules.rule_loader import load_rules

RULES = load_rules("classification", features=CLASSIFICATION.units())
BOX, COUNT = 16, 300
VALUES = {
    "classes": 20.0,
    "mask_diameter_a": 40.0,
    "resolution_limit_a": 12.0,
    "prior_strength": 1.0,
    "iterations": 25.0,
    "offset_range_a": 10.0,
}


@pytest.fixture
def lists(tmp_path: Path) -> ParticleLists:
    images = np.random.default_rng(1).standard_normal((COUNT, BOX, BOX)).astype(np.float32)
    write_mrcs(tmp_path / "in.mrcs", images, 3.5)
    optics = {
        "rlnOpticsGroupName": "a",
        "rlnOpticsGroup": "1",
        "rlnVoltage": "300",
        "rlnSphericalAberration": "2.7",
        "rlnAmplitudeContrast": "0.1",
        "rlnImagePixelSize": "3.5",
    }
    rows = [
        {"rlnImageName": f"{i}@in.mrcs", "rlnOpticsGroup": "1", "rlnDefocusU": "9000"}
        for i in [*range(1, COUNT + 1), 7, COUNT + 1]
    ]
    star = tmp_path / "particles.star"
    write_star(star, {"optics": table_of([optics]), "particles": table_of(rows)})
    return read_particle_lists([star])


class Pretender:
    """A classifier that makes classes of the sizes told to it and keeps what it was asked."""

    def __init__(self, *sizes: Callable[[int], list[int]]) -> None:
        """Take the sizes of each run to come, as functions of the number of classes."""
        self.sizes = sizes
        self.asked: list[ClassificationParameters] = []

    def __call__(
        self,
        lists: ParticleLists,
        parameters: ClassificationParameters,
        folder: Path,
        options: RunOptions,
    ) -> None:
        """Write the files of one run."""
        sizes = self.sizes[len(self.asked)](parameters.classes)
        self.asked.append(parameters)
        stem = f"run_it{parameters.iterations:03d}"
        numbers = np.repeat(np.arange(1, len(sizes) + 1), sizes)
        averages = np.random.default_rng(2).standard_normal((len(sizes), BOX, BOX))
        write_mrcs(folder / f"{stem}_classes.mrcs", averages.astype(np.float32), 3.5)
        model = {
            "model_general": table_of([{"rlnPixelSize": "3.5"}]),
            "model_classes": table_of(
                {"rlnClassDistribution": f"{n / COUNT}", "rlnEstimatedResolution": "14"}
                for n in sizes
            ),
        }
        write_star(folder / f"{stem}_model.star", model)
        rows = (
            {"rlnImageName": name, "rlnClassNumber": str(k)}
            for name, k in zip(lists.names, numbers, strict=True)
        )
        write_star(folder / f"{stem}_data.star", {"particles": table_of(rows)})
        write_star(folder / f"{stem}_optimiser.star", {"optimiser_general": table_of([{"a": "1"}])})
        write_history(folder, [{"number": parameters.iterations, "start": 1, "changed": 0.02}])


def even(classes: int) -> list[int]:
    return [COUNT // classes + (k < COUNT % classes) for k in range(classes)]


def collapsed(classes: int) -> list[int]:
    return [200, 100] + [0] * (classes - 2)


def mostly_one(classes: int) -> list[int]:
    """Half of the classes hold two particles: uneven, and not empty by the rule's measure."""
    return [COUNT - 2 * (classes // 2), *[2] * (classes // 2), *[0] * (classes - classes // 2 - 1)]


def all_in_one(classes: int) -> list[int]:
    return [COUNT] + [0] * (classes - 1)


def step(
    lists: ParticleLists,
    output: Path,
    pretender: Pretender,
    values: Mapping[str, float] = VALUES,
    seed: int = 0,
) -> ClassifiedStep:
    output.mkdir(exist_ok=True)
    return classify_step(
        lists,
        values,
        output,
        classifier=pretender,
        name="pretender",
        rules=RULES,
        options=RunOptions(seed=seed),
    )


def test_every_particle_ends_in_one_bin(lists: ParticleLists, tmp_path: Path) -> None:
    found = step(lists, tmp_path / "out", Pretender(even))
    assert not found.repeated
    ledger = read_ledger(tmp_path / "out" / "ledger.json")
    assert ledger.bins == {"kept": COUNT, "rejected": 1, "error": 1}
    assert sum(c.number for c in ledger.counts) == COUNT
    assert (tmp_path / "out" / ledger.items_file).is_file()
    assert {e.bin for e in ledger.entries} == {"rejected", "error"}
    assert len(found.decisions) == 1


def test_a_collapse_is_run_once_more_with_fewer_classes(
    lists: ParticleLists, tmp_path: Path
) -> None:
    pretender = Pretender(collapsed, even)
    found = step(lists, tmp_path / "out", pretender)
    assert [p.classes for p in pretender.asked] == [20, 2]
    assert found.repeated
    assert found.run.count.tolist() == [150, 150]
    first, second = found.decisions
    assert first.findings == ("Run once more: classes 2 instead of 20.",)
    assert "The second run is kept" in second.findings[0]
    assert [p.name for p in sorted((tmp_path / "out").glob("run_*classes.mrcs"))] == [
        "run_it025_classes.mrcs"
    ]
    assert not (tmp_path / "out" / ".attempt").exists()


def test_never_more_than_one_rerun_and_the_better_run_stays(
    lists: ParticleLists, tmp_path: Path
) -> None:
    pretender = Pretender(mostly_one, all_in_one)
    found = step(lists, tmp_path / "out", pretender, {**VALUES, "classes": 22.0})
    assert [p.classes for p in pretender.asked] == [22, 11]
    assert found.run.count.tolist() == mostly_one(22)
    assert "The first run is kept: the second shows 2 faults" in found.decisions[1].findings[0]


def test_a_finished_result_is_not_made_again(lists: ParticleLists, tmp_path: Path) -> None:
    once = Pretender(even)
    first = step(lists, tmp_path / "out", once)
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if p.is_file()}
    again = step(lists, tmp_path / "out", once)
    assert (len(once.asked), first.reused, again.reused) == (1, False, True)
    assert again.ledger == first.ledger
    assert again.decisions == first.decisions
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if p.is_file()} == before


@pytest.mark.parametrize("change", ["seed", "parameter", "damage", "code"])
def test_what_changed_is_made_again(
    lists: ParticleLists, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = Pretender(even, even)
    step(lists, tmp_path / "out", twice)
    values = {**VALUES, "classes": 10.0} if change == "parameter" else VALUES
    if change == "damage":
        (tmp_path / "out" / "run_it025_data.star").write_text("data_\n")
    if change == "code":
        place = "cryoverdict.engine.classification_run.step.classifying_code"
        monkeypatch.setattr(place, lambda: "another")
    found = step(lists, tmp_path / "out", twice, values, seed=int(change == "seed"))
    assert len(twice.asked) == 2
    assert not found.reused


def test_the_folder_leaves_no_trace_in_the_result(lists: ParticleLists, tmp_path: Path) -> None:
    for name in ("one", "two"):
        step(lists, tmp_path / name, Pretender(even))
    for path in (tmp_path / "one").iterdir():
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_too_few_particles_make_fewer_classes_and_say_so(
    lists: ParticleLists, tmp_path: Path
) -> None:
    pretender = Pretender(even)
    found = step(lists, tmp_path / "out", pretender, {**VALUES, "classes": 50.0})
    assert pretender.asked[0].classes == COUNT // 10
    assert any("too few for 50 classes" in note for note in found.notes)


def test_missing_mask_is_refused_before_anything_runs(lists: ParticleLists, tmp_path: Path) -> None:
    pretender = Pretender(even)
    with pytest.raises(EngineError, match="lack mask_diameter_a"):
        step(lists, tmp_path / "out", pretender, {"classes": 5.0})
    assert pretender.asked == []
