"""Between two iterations: no particle meets its own noise again, no class stays empty."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cryoverdict.engine.classification.classifier import _prepared, _stages  # noqa: E402
from cryoverdict.engine.classification.parameters import ClassificationParameters  # noqa: E402
from cryoverdict.engine.classification.particle_stack import open_stack  # noqa: E402
from cryoverdict.engine.classification.polar_images import PolarImages  # noqa: E402
from cryoverdict.engine.classification.references import Sums  # noqa: E402
from cryoverdict.engine.classification.run import Run  # noqa: E402
from cryoverdict.engine.classification.seeding import (  # noqa: E402
    Assigned,
    image_power,
    refilled,
    seeds,
)
from cryoverdict.engine.classification.simulated_particles import (  # noqa: E402
    simulated_particles,
    write_particles,
)

PARAMETERS = ClassificationParameters(
    classes=3, mask_diameter_a=170.0, resolution_limit_a=30.0, iterations=4
)


def sums(value: float, members: float) -> Sums:
    """Return sums of two halves, two classes, one ring and harmonic, all of one value."""
    return Sums(
        signal=torch.full((2, 2, 1, 1), value, dtype=torch.complex64),
        ctf2=torch.full((2, 1, 2, 1), value),
        members=torch.full((2, 2), members),
    )


def test_a_lane_is_taken_out_of_its_own_half() -> None:
    lane = Sums(
        signal=torch.full((1, 2, 1, 1), 2.0, dtype=torch.complex64),
        ctf2=torch.full((1, 1, 2, 1), 9.0),
        members=torch.full((1, 2), 3.0),
    )
    rest = sums(7.0, 5.0).without(lane, 1)
    assert rest.signal.real.flatten().tolist() == [7.0, 7.0, 5.0, 5.0]
    assert rest.ctf2.flatten().tolist() == [7.0, 7.0, 0.0, 0.0]  # rounding never makes it negative
    assert rest.members.tolist() == [[5.0, 5.0], [2.0, 2.0]]
    none = lane.emptied([1])
    assert none.members.tolist() == [[3.0, 0.0]]
    assert none.signal.real.flatten().tolist() == [2.0, 0.0]
    assert none.ctf2.flatten().tolist() == [9.0, 0.0]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> PolarImages:
    truth = simulated_particles(
        seed=1,
        count=80,
        species=("barrel",),
        junk_share=0.0,
        contrast=2.0,
        box=24,
        pixel_size_a=9.0,
    )
    stack = open_stack(write_particles(truth, tmp_path_factory.mktemp("particles")))
    with torch.inference_mode():
        return _prepared(stack, PARAMETERS, torch.device("cpu"))


def test_an_empty_class_gets_half_of_the_largest_one(images: PolarImages) -> None:
    with torch.inference_mode():
        noise = image_power(images, np.arange(80), 80).mean_power()
        rng = np.random.default_rng(1)
        before = seeds(images, noise, 3, rng)
        before.members[:, 1] = 0.0
        before.members[:, 2] *= 2.0
        largest = float(before.total_members[2])
        number = np.repeat([0, 2], [20, 60])
        assigned = Assigned(number=number, turn_rad=np.zeros(80, dtype=np.float32))
        assert refilled(before, assigned, images, noise, rng) == [1]
        assert float(before.total_members[1]) == pytest.approx(0.5 * largest)
        assert refilled(before, assigned, images, noise, rng) == []


def test_what_a_lane_brings_does_not_change_what_it_is_compared_with(images: PolarImages) -> None:
    with torch.inference_mode():
        stages = _stages(images)
        run = Run.begin(images, stages, np.random.default_rng(1), 1)
        assert run.lanes == []
        run.iterate(1, stages[0])
        assert len(run.lanes) == 8
        before = [run.search_without(lane, stages[1]).reference.clone() for lane in (2, 3)]
        more = 0.2 * run.sums.signal[1]
        run.lanes[3].signal[0] += more
        run.sums.signal[1] += more
        after = [run.search_without(lane, stages[1]).reference for lane in (2, 3)]
    scale = before[1].abs().max()
    assert (after[1] - before[1]).abs().max() < 1e-4 * scale
    assert (after[0] - before[0]).abs().max() > 1e-2 * scale
