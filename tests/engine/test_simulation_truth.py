"""What the simulator says is true of a micrograph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryoverdict.engine.simulation.defects import MECHANISMS
from cryoverdict.engine.simulation.micrograph import simulate_micrograph
from cryoverdict.engine.simulation.micrograph_spec import Defect, MicrographSpec, ParticleSpec
from cryoverdict.engine.simulation.severity import (
    BAD_FROM,
    LABELS,
    SCALES,
    combined,
    quantity,
    severity,
)
from cryoverdict.engine.simulation.truth import coarse_mask

BASE = MicrographSpec(
    shape=(400, 440),
    pixel_size_a=6.0,
    detector_binning=5.0,
    defocus_a=20000.0,
    particle=ParticleSpec(name="shell"),
    coverage=0.2,
    specks=0.0,
)
MILD = dict.fromkeys(MECHANISMS, 0.15)
INTERFACE_LABELS = {
    "contamination",
    "film",
    "empty_no_ice",
    "empty_vitreous_ice",
    "crystalline_ice",
    "thick_ice",
    "drift",
    "bad_ctf",
    "broken_exposure",
    "low_dose",
}


def test_labels_are_those_of_the_interfaces() -> None:
    assert set(LABELS) == INTERFACE_LABELS
    assert {m.label for m in MECHANISMS.values()} == INTERFACE_LABELS


def test_a_clean_micrograph_is_great() -> None:
    truth = simulate_micrograph(BASE, 5).truth
    assert (truth.verdict, truth.grade, truth.defects) == ("good", "great", {})
    assert truth.usable.all()
    assert truth.total_severity < 0.05


@pytest.mark.parametrize("mechanism", sorted(MECHANISMS))
def test_a_strong_defect_makes_it_bad_and_a_weak_one_does_not(mechanism: str) -> None:
    strong = replace(BASE, defects=(Defect(mechanism=mechanism, strength=0.9),))
    truth = simulate_micrograph(strong, 7).truth
    label = MECHANISMS[mechanism].label
    assert truth.verdict == "bad"
    assert truth.grade is None
    assert truth.defects[label] > BAD_FROM
    assert next(iter(truth.defects)) == label
    weak = replace(BASE, defects=(Defect(mechanism=mechanism, strength=MILD[mechanism]),))
    truth = simulate_micrograph(weak, 7).truth
    assert truth.verdict == "good"
    assert truth.mechanisms == {mechanism: MILD[mechanism]}


@pytest.mark.parametrize("scale", sorted(SCALES))
def test_quantity_is_the_inverse_of_severity(scale: str) -> None:
    quantities, severities = SCALES[scale]
    assert list(severities) == sorted(severities)
    assert {0.3, 0.5} < set(severities)
    for strength in (0.2, 0.3, 0.45, 0.5, 0.77, 1.0):
        assert severity(scale, quantity(scale, strength)) == pytest.approx(strength)
    outward = 1e6 if quantities[-1] > quantities[0] else -1e6
    assert severity(scale, outward) == 1.0
    assert severity(scale, -outward) == 0.0


def test_severities_add_up_as_chances() -> None:
    assert combined({}) == 0.0
    assert combined({"drift": 0.3, "film": 0.3}) == pytest.approx(0.51)


@pytest.mark.parametrize(
    ("mechanism", "label"), [("carbon", "film"), ("ice-ball", "contamination")]
)
def test_masks_show_what_was_painted(mechanism: str, label: str) -> None:
    spec = replace(BASE, defects=(Defect(mechanism=mechanism, strength=0.5),), fragments=0.0)
    dark = simulate_micrograph(replace(spec, dose_e_per_a2=3000.0, coverage=0.0), 3)
    mask = dark.truth.masks[label]
    assert (mask == ~dark.truth.usable).all()
    b = dark.truth.mask_binning
    assert mask.shape == (-(-400 // b), -(-440 // b))
    full = np.kron(mask, np.ones((b, b), dtype=bool))[:400, :440]
    assert dark.pixels[full].mean() < dark.pixels[~full].mean()


def test_centres_are_where_the_particles_are() -> None:
    spec = replace(BASE, dose_e_per_a2=5000.0, debris=0.0, surface=0.0, fragments=0.0, overlap=0.0)
    made = simulate_micrograph(spec, 2)
    centres = made.truth.centres_px
    assert len(centres) > 60
    inner = [
        (round(float(x)), round(float(y)))
        for x, y in centres
        if 20 <= x < 440 - 20 and 20 <= y < 400 - 20
    ]
    mean = np.mean([made.pixels[y - 16 : y + 17, x - 16 : x + 17] for x, y in inner], axis=0)
    dark = np.clip(np.median(mean) - mean, 0.0, None) ** 2
    rows, columns = np.indices(dark.shape)
    assert (rows * dark).sum() / dark.sum() == pytest.approx(16.0, abs=0.3)
    assert (columns * dark).sum() / dark.sum() == pytest.approx(16.0, abs=0.3)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    spec = replace(BASE, defects=(Defect(mechanism="ice-heap", strength=0.4),))
    first, again = simulate_micrograph(spec, 11), simulate_micrograph(spec, 11)
    assert first.pixels.dtype == np.float32
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.truth.total_severity == again.truth.total_severity
    assert np.array_equal(first.truth.centres_px, again.truth.centres_px)
    assert first.pixels.tobytes() != simulate_micrograph(spec, 12).pixels.tobytes()


def test_ctf_truth_is_that_of_the_defect_and_optics_that_of_the_spec() -> None:
    spec = replace(BASE, defects=(Defect(mechanism="astigmatism", strength=0.5),))
    made = simulate_micrograph(spec, 4)
    ctf = made.truth.ctf
    assert ctf.defocus_u_a - ctf.defocus_v_a == pytest.approx(1400.0)
    assert 0.5 * (ctf.defocus_u_a + ctf.defocus_v_a) == pytest.approx(20000.0)
    assert made.optics.pixel_size_a == 6.0
    assert made.optics.missing_for_ctf == ()


def test_crystalline_ice_has_its_ring_where_the_pixels_can_hold_it() -> None:
    spec = MicrographSpec(
        shape=(512, 512), pixel_size_a=1.2, defocus_a=9000.0, coverage=0.05, specks=0.0
    )

    def ring(spec: MicrographSpec) -> float:
        pixels = simulate_micrograph(spec, 8).pixels
        power = np.abs(np.fft.rfft2(pixels - pixels.mean())) ** 2
        k = np.hypot(np.fft.fftfreq(512, 1.2)[:, None], np.fft.rfftfreq(512, 1.2)[None, :])
        band = (k > 1 / 3.95) & (k < 1 / 3.6)
        beside = ((k > 1 / 4.6) & (k < 1 / 4.1)) | ((k > 1 / 3.3) & (k < 1 / 3.0))
        return float(power[band].mean() / power[beside].mean())

    assert ring(spec) < 1.3
    assert ring(replace(spec, defects=(Defect(mechanism="crystalline-ice", strength=0.9),))) > 2.0


def test_a_coarse_mask_is_the_majority_of_each_cell() -> None:
    mask = np.zeros((8, 12), dtype=bool)
    mask[:3, :4] = True
    mask[4:5, 8:12] = True
    np.testing.assert_array_equal(
        coarse_mask(mask, 4), [[True, False, False], [False, False, False]]
    )
