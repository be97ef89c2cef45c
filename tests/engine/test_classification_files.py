"""The files of a classification: RELION reads them, turns and origins as RELION means them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cryoverdict.engine.classification.classification import Classification  # noqa: E402
from cryoverdict.engine.classification.classifier import classify  # noqa: E402
from cryoverdict.engine.classification.parameters import ClassificationParameters  # noqa: E402
from cryoverdict.engine.classification.particle_stack import ParticleStack, open_stack  # noqa: E402
from cryoverdict.engine.classification.relion_output import (  # noqa: E402
    RelionFiles,
    write_relion_output,
)
from cryoverdict.engine.classification.simulated_particles import (  # noqa: E402
    simulated_particles,
    write_particles,
)
from cryoverdict.features.star import read_star  # noqa: E402

torch.set_num_threads(1)  # small work: a second thread only waits
BOX, COUNT, CLASSES = 32, 150, 3
PARAMETERS = ClassificationParameters(
    classes=CLASSES, mask_diameter_a=180.0, resolution_limit_a=22.0, iterations=8
)


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ParticleStack, Classification, RelionFiles]:
    folder = tmp_path_factory.mktemp("relion")
    particles = simulated_particles(
        seed=2,
        count=COUNT,
        species=("barrel",),
        junk_share=0.0,
        contrast=3.0,
        box=BOX,
        pixel_size_a=7.0,
    )
    stack = open_stack(write_particles(particles, folder))
    found = classify(stack, PARAMETERS, seed=3, device="cpu")
    return stack, found, write_relion_output(found, stack, PARAMETERS, folder, seed=3)


def test_the_particles_keep_order_and_columns(
    done: tuple[ParticleStack, Classification, RelionFiles],
) -> None:
    stack, found, files = done
    blocks = read_star(files.data)
    particles = blocks["particles"]
    assert blocks["optics"] == stack.optics_table
    for label in stack.particles.columns:
        assert particles.column(label) == stack.particles.column(label)
    numbers = particles.column("rlnClassNumber")
    assert numbers is not None
    assert [int(v) - 1 for v in numbers] == found.number.tolist()
    origins = particles.column("rlnOriginXAngst")
    assert origins is not None
    expected = (-7.0 * found.shift_px[:, 0]).tolist()
    assert [float(v) for v in origins] == pytest.approx(expected, abs=1e-5)


def test_the_model_names_each_class_and_its_measures(
    done: tuple[ParticleStack, Classification, RelionFiles],
) -> None:
    _, found, files = done
    model = read_star(files.model)
    names = model["model_classes"].column("rlnReferenceImage")
    shares = model["model_classes"].column("rlnClassDistribution")
    assert names is not None
    assert shares is not None
    assert names == tuple(f"{k:06d}@{files.classes.name}" for k in (1, 2, 3))
    assert [float(v) for v in shares] == pytest.approx([c.share for c in found.classes], abs=1e-6)
    assert len(model["model_class_3"].rows) == BOX // 2 + 1
    counts = model["model_groups"].column("rlnGroupNrParticles")
    assert counts == ("100", "50")
    assert {"model_group_1", "model_group_2", "model_optics_group_1"} <= set(model)


def test_the_files_are_the_same_bytes_again(
    done: tuple[ParticleStack, Classification, RelionFiles], tmp_path: Path
) -> None:
    stack, found, files = done
    again = write_relion_output(found, stack, PARAMETERS, tmp_path / "class2d", seed=3)
    assert again.data.read_bytes() == files.data.read_bytes()
    assert again.classes.read_bytes() == files.classes.read_bytes()


@pytest.mark.relion
def test_relion_brings_the_particles_onto_our_averages(
    done: tuple[ParticleStack, Classification, RelionFiles], tmp_path: Path
) -> None:
    if shutil.which("relion_stack_create") is None:
        pytest.skip("RELION is not installed")
    import mrcfile

    stack, found, files = done
    output = tmp_path / "aligned"
    command = ["relion_stack_create", "--i", str(files.data), "--o", str(output)]
    subprocess.run(
        [*command, "--apply_transformation"],
        check=True,
        capture_output=True,
        cwd=stack.source.parent,
    )
    with mrcfile.open(output.with_suffix(".mrcs"), permissive=True) as stream:
        aligned = np.array(stream.data)
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    within = np.hypot(x, y) < 11
    for k in np.flatnonzero(np.bincount(found.number, minlength=CLASSES) > 20):
        mean = aligned[found.number == k].mean(axis=0)
        ours = found.averages[k][within]
        same = np.corrcoef(mean[within], ours)[0, 1]
        others = [
            np.corrcoef(other[within], ours)[0, 1]
            for other in (np.rot90(mean), np.roll(mean, 4, axis=0), np.roll(mean, 4, axis=1))
        ]
        assert same > 0.8
        assert same > max(others)


@pytest.mark.relion
def test_relion_continues_from_our_files(
    done: tuple[ParticleStack, Classification, RelionFiles], tmp_path: Path
) -> None:
    if shutil.which("relion_refine") is None:
        pytest.skip("RELION is not installed")
    stack, _, files = done
    command = ["relion_refine", "--continue", files.optimiser.name, "--o", str(tmp_path / "run")]
    ran = subprocess.run(
        [*command, "--iter", "9", "--j", "1"],
        capture_output=True,
        text=True,
        cwd=stack.source.parent,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-800:]
    after = read_star(tmp_path / "run_it009_model.star")["model_classes"]
    assert len(after.rows) == CLASSES
