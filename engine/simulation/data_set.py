"""A simulated session: what its micrographs share, and from what ranges each is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from cryoverdict.engine.simulation.micrograph_spec import Defect, MicrographSpec, ParticleSpec

Range = tuple[float, float]
# Stays by which an even drift is approximated.
DRIFT_STAYS = 10

# Weights with which a bad micrograph's main mechanism is drawn, unless the spec says otherwise.
USUAL_MIX: tuple[tuple[str, float], ...] = (
    ("ice-flakes", 1.0),
    ("ice-heap", 1.0),
    ("ice-ball", 0.8),
    ("aggregates", 1.0),
    ("vesicles", 0.4),
    ("bubbling", 0.3),
    ("carbon", 1.6),
    ("gold", 0.5),
    ("grid-bar", 0.4),
    ("no-ice", 1.0),
    ("torn-film", 0.8),
    ("no-particles", 1.3),
    ("crystalline-ice", 1.8),
    ("thick-ice", 1.3),
    ("drift", 0.9),
    ("stage-jump", 0.4),
    ("charging", 0.4),
    ("astigmatism", 0.5),
    ("far-focus", 0.5),
    ("near-focus", 0.5),
    ("failed-focus", 0.4),
    ("tilt", 0.2),
    ("dead-pixels", 0.4),
    ("beam-edge", 0.4),
    ("blank", 0.3),
    ("double-exposure", 0.3),
    ("low-dose", 0.7),
)


# Ranges of the nearest defocus of a session: modern ones, older ones, and screening sessions.
NEAREST_FOCUS_A: tuple[Range, ...] = (
    (6000.0, 15000.0),
    (11000.0, 25000.0),
    (11000.0, 25000.0),
    (20000.0, 42000.0),
    (20000.0, 42000.0),
)
# Detectors as often as random sessions have them.
DETECTOR_DRAW = ("k2",) * 5 + ("k3",) * 5 + ("falcon4", "falcon4", "falcon3", "falcon2", "ccd")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetSpec:
    """A session of ``micrographs`` pictures: ``base`` holds what all share, ranges the rest.

    ``bad_fraction`` of the micrographs get one main mechanism of ``mix`` (name, weight) with a
    strength from ``bad_strength``, and with ``second_chance`` another; the others get, with
    ``blemish_chance``, a mechanism with a strength from ``blemish_strength``, which an expert would
    tolerate. Whether a micrograph then *is* bad the truth says, by the rule of `severity`.
    ``residual_drift_a`` is what motion correction left in every micrograph, in one direction.
    ``thumbnail_binning`` > 0 stores 8-bit PNG thumbnails with ``thumbnail_stretch`` instead of MRC.
    """

    name: str = "simulated"
    micrographs: int = 24
    base: MicrographSpec = field(default_factory=MicrographSpec)
    defocus_range_a: Range = (8000.0, 24000.0)
    astigmatism_range_a: Range = (30.0, 350.0)
    coverage_range: Range = (0.12, 0.3)
    ice_range_a: Range = (250.0, 500.0)
    residual_drift_a: Range = (0.0, 0.0)
    bad_fraction: float = 0.45
    bad_strength: Range = (0.5, 1.0)
    blemish_chance: float = 0.35
    blemish_strength: Range = (0.05, 0.3)
    second_chance: float = 0.2
    mix: tuple[tuple[str, float], ...] = USUAL_MIX
    thumbnail_binning: float = 0.0
    thumbnail_stretch: str = "min-max"


def draw_micrographs(data_set: DataSetSpec, seed: int) -> tuple[MicrographSpec, ...]:
    """Return the settings of each micrograph of the session; the same for the same seed.

    The bad ones are spread evenly over the mechanisms of the mix before any comes twice as often
    as its weight says, so that small sessions show many kinds.
    """
    rng = np.random.default_rng((seed, 11))
    bad = np.zeros(data_set.micrographs, dtype=np.bool_)
    bad[: round(data_set.bad_fraction * data_set.micrographs)] = True
    rng.shuffle(bad)
    main = iter(_spread(rng, data_set.mix, int(bad.sum())))
    specs = []
    for is_bad in bad:
        defects: list[Defect] = []
        if is_bad:
            defects.append(_defect(rng, next(main), data_set.bad_strength))
            if rng.random() < data_set.second_chance:
                defects.append(_defect(rng, _any(rng, data_set.mix), (0.05, 0.8)))
        elif rng.random() < data_set.blemish_chance:
            name = _any(rng, data_set.mix)
            defects.append(_defect(rng, name, data_set.blemish_strength))
        specs.append(_drawn(rng, data_set, tuple(defects)))
    return tuple(specs)


def _spread(rng: np.random.Generator, mix: tuple[tuple[str, float], ...], count: int) -> list[str]:
    """Return ``count`` names with frequencies near their weights (systematic sampling)."""
    if count == 0:
        return []
    weights = np.array([w for _, w in mix], dtype=float)
    edges = np.cumsum(weights) / weights.sum()
    at = (np.arange(count) + rng.random()) / count
    order = rng.permutation(len(mix))
    edges = np.cumsum(weights[order]) / weights.sum()
    chosen = [mix[order[min(int(i), len(mix) - 1)]][0] for i in np.searchsorted(edges, at)]
    rng.shuffle(chosen)
    return chosen


def _any(rng: np.random.Generator, mix: tuple[tuple[str, float], ...]) -> str:
    """Return one name of the mix by weight."""
    weights = np.array([w for _, w in mix], dtype=float)
    return mix[int(rng.choice(len(mix), p=weights / weights.sum()))][0]


def _defect(rng: np.random.Generator, mechanism: str, strengths: Range) -> Defect:
    """Return a defect with a strength drawn evenly from a range."""
    return Defect(mechanism=mechanism, strength=float(rng.uniform(*strengths)))


def _drawn(
    rng: np.random.Generator, data_set: DataSetSpec, defects: tuple[Defect, ...]
) -> MicrographSpec:
    """Return the base with this micrograph's own defocus, astigmatism, ice and particles."""
    base = data_set.base
    return replace(
        base,
        defocus_a=float(rng.uniform(*data_set.defocus_range_a)),
        astigmatism_a=float(rng.uniform(*data_set.astigmatism_range_a)),
        astigmatism_angle_deg=float((base.astigmatism_angle_deg + rng.normal(0.0, 25.0)) % 180.0),
        coverage=float(rng.uniform(*data_set.coverage_range)),
        ice_thickness_a=float(rng.uniform(*data_set.ice_range_a)),
        ice_gradient=float(base.ice_gradient * rng.uniform(0.3, 2.0)),
        clustering=float(np.clip(base.clustering * rng.uniform(0.4, 1.6), 0.0, 1.0)),
        specks=float(base.specks * rng.lognormal(0.0, 0.7)),
        threads=int(rng.poisson(base.threads)),
        motion_sigma_a=float(base.motion_sigma_a * rng.uniform(0.7, 1.5)),
        vignetting=float(base.vignetting * rng.uniform(0.3, 1.7)),
        trajectory_a=_straight(rng, data_set.residual_drift_a),
        defects=defects,
    )


def _straight(rng: np.random.Generator, lengths_a: Range) -> tuple[tuple[float, float], ...]:
    """Return an even drift of a length drawn from a range, in a direction drawn at random."""
    length, angle = float(rng.uniform(*lengths_a)), float(rng.uniform(0.0, 2.0 * math.pi))
    if length == 0.0:
        return ()
    stays = np.linspace(0.0, length, DRIFT_STAYS)
    return tuple((float(s * math.sin(angle)), float(s * math.cos(angle))) for s in stays)


def demonstration() -> DataSetSpec:
    """Return the session that ``cryoverdict demo`` shows: 24 micrographs of one particle."""
    return DataSetSpec(
        name="demonstration",
        micrographs=24,
        base=MicrographSpec(
            shape=(1280, 1280),
            pixel_size_a=1.7,
            voltage_kv=300.0,
            detector="k3",
            dose_e_per_a2=50.0,
            particle=ParticleSpec(name="barrel", contrast=0.8),
            particle_seed=5,
            gain_seed=5,
        ),
        defocus_range_a=(9000.0, 24000.0),
        coverage_range=(0.16, 0.32),
        bad_fraction=0.42,
        bad_strength=(0.62, 1.0),
        second_chance=0.0,
        mix=(
            ("carbon", 1.0),
            ("ice-heap", 1.0),
            ("aggregates", 1.0),
            ("no-ice", 1.0),
            ("no-particles", 1.0),
            ("crystalline-ice", 1.0),
            ("thick-ice", 1.0),
            ("drift", 1.0),
            ("astigmatism", 1.0),
            ("low-dose", 1.0),
        ),
    )


def random_data_set(seed: int) -> DataSetSpec:
    """Return a session drawn at random: microscope, detector, sample, grid and what goes wrong.

    For training: wider than real sessions are, so that a real one is a special case.
    """
    from cryoverdict.engine.simulation.particle_shapes import SHAPES

    rng = np.random.default_rng((seed, 23))
    voltage = float(rng.choice([300.0, 300.0, 300.0, 200.0, 200.0, 120.0]))
    detector = str(rng.choice(DETECTOR_DRAW))
    binned = rng.random() < 0.5
    pixel = float(np.exp(rng.uniform(math.log(0.68), math.log(1.5))))
    binning = 1.0
    if binned:
        # Four thousand detector pixels, cropped to about a thousand.
        binning = float(rng.choice([3.0, 4.0, 4.0, 5.0]))
        pixel = min(8.0, pixel * binning)
    side = round(4096 / binning / 32) * 32 if binned else int(rng.choice([1536, 2048, 2048]))
    aspect = {"k3": 1.41, "k2": 0.967, "ccd": 1.0}.get(detector, 1.0)
    near = float(rng.uniform(*NEAREST_FOCUS_A[int(rng.integers(len(NEAREST_FOCUS_A)))]))
    cover = float(np.exp(rng.uniform(math.log(0.06), math.log(0.62))))
    ice = float(rng.uniform(180.0, 600.0))
    plate = voltage == 300.0 and rng.random() < 0.08
    mix = tuple((n, w * float(rng.lognormal(0.0, 0.7))) for n, w in USUAL_MIX)
    names = list(SHAPES)
    base = MicrographSpec(
        shape=(side, 2 * round(side * aspect / 2)),
        pixel_size_a=pixel,
        voltage_kv=voltage,
        cs_mm=float(rng.choice([2.7, 2.7, 2.0, 1.4, 0.01])),
        amplitude_contrast=float(rng.choice([0.07, 0.1, 0.1])),
        energy_filter=bool(rng.random() < 0.5),
        detector=detector,
        detector_binning=binning,
        dose_e_per_a2=float(rng.uniform(25.0, 70.0)),
        astigmatism_angle_deg=float(rng.uniform(0.0, 180.0)),
        phase_shift_deg=float(rng.uniform(40.0, 130.0)) if plate else 0.0,
        source_angle_mrad=float(np.exp(rng.uniform(math.log(0.02), math.log(0.15)))),
        energy_spread_a=float(rng.uniform(35.0, 120.0)),
        b_factor_a2=float(rng.uniform(30.0, 150.0)),
        ice_gradient=float(np.exp(rng.uniform(math.log(0.01), math.log(0.4)))),
        ice_roughness=float(np.exp(rng.uniform(math.log(0.003), math.log(0.08)))),
        surface=float(np.exp(rng.uniform(math.log(1.0), math.log(40.0)))),
        debris=float(np.exp(rng.uniform(math.log(0.5), math.log(20.0)))),
        specks=float(np.exp(rng.uniform(math.log(0.3), math.log(30.0)))),
        threads=int(rng.choice([0, 0, 0, 1, 3])),
        particle=ParticleSpec(
            name=str(rng.choice(names)),
            preference=float(rng.choice([0.0, 0.0, 0.3, 0.7])),
            contrast=float(rng.uniform(0.45, 1.1)),
        ),
        spacing=float(rng.uniform(0.65, 1.2)),
        clustering=float(rng.uniform(0.0, 0.9)),
        fragments=float(np.exp(rng.uniform(math.log(0.05), math.log(4.0)))),
        overlap=float(rng.choice([0.0, 0.02, 0.1])),
        motion_sigma_a=float(rng.uniform(0.3, 1.2)),
        bad_pixels=float(rng.choice([0.0, 0.0, 1e-6, 1e-5])),
        vignetting=float(np.exp(rng.uniform(math.log(0.0003), math.log(0.06)))),
        particle_seed=seed,
        gain_seed=seed,
    )
    return DataSetSpec(
        name=f"random-{seed}",
        micrographs=400,
        base=base,
        defocus_range_a=(near, near + float(rng.uniform(4000.0, 16000.0))),
        astigmatism_range_a=(20.0, float(rng.uniform(150.0, 500.0))),
        coverage_range=(0.6 * cover, 1.4 * cover),
        ice_range_a=(0.8 * ice, 1.3 * ice),
        residual_drift_a=(0.0, float(np.exp(rng.uniform(math.log(0.3), math.log(5.0))))),
        bad_fraction=float(rng.uniform(0.4, 0.75)),
        bad_strength=(0.45, 1.0),
        blemish_chance=float(rng.uniform(0.2, 0.6)),
        mix=mix,
        thumbnail_stretch=str(rng.choice(["min-max", "percentile", "sigma", "hard"])),
    )
