"""RELION as classifier: parameters translated, names and order given back, failures quoted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from cryoverdict.engine.adapters.relion_classify import (  # noqa: E402
    classify_with_relion,
    last_words,
    relion_arguments,
)
from cryoverdict.engine.classification.parameters import ClassificationParameters  # noqa: E402
from cryoverdict.engine.classification.particle_lists import (  # noqa: E402
    ParticleLists,
    read_particle_lists,
)
from cryoverdict.engine.classification.particle_stack import part_of  # noqa: E402
from cryoverdict.engine.classification.simulated_particles import (  # noqa: E402
    simulated_particles,
    write_particles,
)
from cryoverdict.engine.classification_run.builtin import RunOptions  # noqa: E402
from cryoverdict.engine.classification_run.class_run import (  # noqa: E402
    newest_stem,
    read_class_run,
)
from cryoverdict.engine.program_error import ProgramError  # noqa: E402

PARAMETERS = ClassificationParameters(
    classes=2,
    mask_diameter_a=180.0,
    resolution_limit_a=25.0,
    iterations=2,
    offset_range_px=2.0,
    prior_strength=1.5,
)


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> ParticleLists:
    truth = simulated_particles(
        seed=2,
        count=40,
        species=("barrel",),
        junk_share=0.0,
        contrast=3.0,
        box=24,
        pixel_size_a=9.0,
    )
    found = read_particle_lists([write_particles(truth, tmp_path_factory.mktemp("p"))])
    # In another order than RELION keeps them, to see that names come back to their particles.
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1)).numpy()
    return replace(found, stack=part_of(found.stack, order))


def value(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_parameters_are_translated(lists: ParticleLists) -> None:
    options = RunOptions(seed=7, threads=3)
    arguments = relion_arguments(PARAMETERS, lists.stack, options)
    assert value(arguments, "--K") == "2"
    assert value(arguments, "--particle_diameter") == "180"
    assert value(arguments, "--tau2_fudge") == "3"
    assert value(arguments, "--strict_highres_exp") == "25"
    assert value(arguments, "--offset_range") == "2"
    assert value(arguments, "--iter") == "2"
    assert value(arguments, "--random_seed") == "7"
    assert value(arguments, "--j") == "3"
    assert "--ctf" in arguments
    assert "--preread_images" in arguments
    assert not {"--grad", "--gpu", "--ctf_intact_first_peak"} & set(arguments)


def test_mini_batches_and_stain_are_asked_for(lists: ParticleLists) -> None:
    stain = replace(PARAMETERS, until_first_peak=True, resident_mib=0)
    options = RunOptions(device="cuda")
    arguments = relion_arguments(stain, lists.stack, options, vdam=True)
    assert value(arguments, "--iter") == "200"
    assert {"--grad", "--gpu", "--ctf_intact_first_peak"} <= set(arguments)
    assert "--preread_images" not in arguments
    without = relion_arguments(replace(PARAMETERS, correct_ctf=False), lists.stack, options)
    assert "--ctf" not in without


def test_last_words_are_the_error_without_its_addresses() -> None:
    log = "Reading\nin: ./src/a.cpp, line 5\nERROR: \nno such disc!\n=== Backtrace ===\nx [0x5]\n"
    assert last_words(log + "ERROR: \nno such disc!\n") == "no such disc!"
    assert last_words("Killed\n") == "Killed"
    assert last_words("") == "it said nothing"


def test_without_relion_the_message_says_what_to_do(
    lists: ParticleLists, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"not on the PATH; install RELION or use --classifier"):
        classify_with_relion(lists, PARAMETERS, tmp_path, RunOptions())


def test_a_failing_program_is_quoted(
    lists: ParticleLists, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "relion_refine"
    program.write_text("#!/bin/sh\necho 'ERROR: '\necho 'out of cheese'\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "out").mkdir()
    with pytest.raises(ProgramError, match=r"failed \(exit code 3\): out of cheese"):
        classify_with_relion(lists, PARAMETERS, tmp_path / "out", RunOptions())


@pytest.mark.relion
def test_relion_classifies_and_particles_keep_their_names(
    lists: ParticleLists, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("relion_refine") is None:
        pytest.skip("RELION is not installed")
    told: list[int] = []
    seen: list[tuple[int, tuple[int, ...]]] = []
    monkeypatch.setattr("cryoverdict.engine.adapters.relion_classify.WATCH_EVERY", 1)
    options = RunOptions(
        seed=1,
        progress=lambda line: told.append(line["number"]),
        watch=lambda line, averages: seen.append((line["number"], averages.shape)),
    )
    classify_with_relion(lists, PARAMETERS, tmp_path, options)
    assert seen == [(1, (2, 24, 24))]  # the last iteration has a page of its own
    stem = newest_stem(tmp_path)
    assert stem == "run_it002"
    run = read_class_run(tmp_path, stem)
    assert run.names == lists.names
    assert run.averages.shape == (2, 24, 24)
    assert run.count.sum() == 40
    assert told == [1, 2]
    assert [line["number"] for line in run.history] == [1, 2]
    assert "000001@run_it002_classes.mrcs" in (tmp_path / f"{stem}_model.star").read_text()
    assert not (tmp_path / "relion").exists()
