"""One simulated micrograph: from its settings to counts, with what is true of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cryoverdict.engine.simulation.aberration import Aberration
from cryoverdict.engine.simulation.broken_exposure import break_pixels, heat_pixels
from cryoverdict.engine.simulation.contamination import spin_threads, stamp, strew_specks
from cryoverdict.engine.simulation.defect_painters import Moment
from cryoverdict.engine.simulation.defects import MECHANISMS, with_defects
from cryoverdict.engine.simulation.detector import (
    DETECTORS,
    count_electrons,
    fixed_pattern,
    transfers,
)
from cryoverdict.engine.simulation.exposure import (
    exit_wave,
    intensity,
    motion_transfer,
    tilted_intensity,
)
from cryoverdict.engine.simulation.grid import FloatArray, Grid, make_grid
from cryoverdict.engine.simulation.ice import fill_with_ice, thickness_map
from cryoverdict.engine.simulation.micrograph_spec import MicrographSpec, ParticleSpec
from cryoverdict.engine.simulation.particle import BeadModel, ProjectionBank
from cryoverdict.engine.simulation.particle_files import read_particle
from cryoverdict.engine.simulation.particle_shapes import generated_particle
from cryoverdict.engine.simulation.placement import place_particles
from cryoverdict.engine.simulation.scene import Scene, empty_scene
from cryoverdict.engine.simulation.severity import quantity
from cryoverdict.engine.simulation.truth import Truth, settle_truth
from cryoverdict.features.optics import Optics

FRAGMENT = ParticleSpec(name="globule")
MOST_FRAGMENTS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedMicrograph:
    """Counts ``(y, x)`` float32, the optics, what is true, and the settings really used."""

    pixels: FloatArray
    optics: Optics
    truth: Truth
    spec: MicrographSpec


@lru_cache(maxsize=8)
def _model(name: str, path: str | None) -> BeadModel:
    """Return a particle's beads; kept."""
    return read_particle(Path(path)) if path is not None else generated_particle(name)


@lru_cache(maxsize=4)
def projection_bank(
    particle: ParticleSpec, pixel_size_a: float, b_factor_a2: float, seed: int
) -> ProjectionBank:
    """Return the bank of projections that all micrographs of a data set share; kept."""
    return ProjectionBank(
        model=_model(particle.name, particle.path),
        pixel_size_a=pixel_size_a,
        b_factor_a2=b_factor_a2,
        preference=particle.preference,
        seed=seed,
    )


def simulate_micrograph(spec: MicrographSpec, seed: int) -> SimulatedMicrograph:
    """Return the micrograph of ``spec``; the same spec and seed give the same pixels.

    The specimen is painted as a phase and a loss, the wave behind it passes the lens (all orders,
    not only the weak-phase term, so that film edges and ice balls get their fringes), electrons are
    counted, and the detector blurs and distorts the counts.
    """
    settings_rng, scene_rng, noise_rng, other_rng = (
        np.random.default_rng((seed, stream)) for stream in range(4)
    )
    spec = with_defects(spec, settings_rng)
    grid = make_grid(spec.shape, spec.pixel_size_a)
    bank = projection_bank(spec.particle, spec.pixel_size_a, spec.b_factor_a2, spec.particle_seed)
    scene = paint_scene(spec, grid, bank, scene_rng)
    expected = _expected(spec, scene)
    if spec.second_exposure > 0.0:
        other = paint_scene(replace(spec, defects=()), grid, bank, other_rng)
        weight = np.float32(spec.second_exposure)
        expected = (1 - weight) * expected + weight * _expected(spec, other)
    pixels = _expose(spec, grid, expected, noise_rng)
    pixels = _break(spec, scene, pixels, noise_rng)
    radius_px = 0.5 * grid.px(bank.model.mean_diameter_a)
    thickness = float(grid.cut(scene.thickness_a)[::4, ::4].mean())
    truth = settle_truth(
        spec, scene, thickness_a=thickness, particle_area_px=math.pi * radius_px**2
    )
    return SimulatedMicrograph(pixels=pixels, optics=spec.optics, truth=truth, spec=spec)


def paint_scene(
    spec: MicrographSpec, grid: Grid, bank: ProjectionBank, rng: np.random.Generator
) -> Scene:
    """Return the painted specimen: ice, film, particles, dirt, and what was torn away."""
    scene = empty_scene(grid, spec.voltage_kv)
    if spec.ice_thickness_a > 0.0:
        thickness = thickness_map(
            rng, grid, spec.ice_thickness_a, spec.ice_gradient, spec.ice_roughness
        )
        fill_with_ice(
            scene,
            rng,
            thickness_a=thickness,
            dose_e_per_a2=spec.dose_e_per_a2,
            debris=spec.debris,
            surface=spec.surface,
        )
    _paint(spec, scene, bank, rng, Moment.UNDER)
    _add_particles(spec, scene, bank, rng)
    _add_fragments(spec, scene, bank, rng)
    if spec.ice_thickness_a > 0.0:
        specks = int(rng.poisson(spec.specks * grid.area_a2 * 1e-8))
        strew_specks(scene, rng, specks)
        spin_threads(scene, rng, spec.threads)
    _paint(spec, scene, bank, rng, Moment.OVER)
    _paint(spec, scene, bank, rng, Moment.LAST)
    return scene


def _paint(
    spec: MicrographSpec,
    scene: Scene,
    bank: ProjectionBank,
    rng: np.random.Generator,
    moment: Moment,
) -> None:
    """Let the painters of one moment paint, in the order of the spec's defects."""
    for defect in spec.defects:
        painter = MECHANISMS[defect.mechanism].painter
        if painter is not None and painter.moment is moment:
            painter.paint(scene, defect.strength, rng, bank)


def _add_particles(
    spec: MicrographSpec, scene: Scene, bank: ProjectionBank, rng: np.random.Generator
) -> None:
    """Put particles into the ice, away from film, and note where and how they lie."""
    grid = scene.grid
    diameter_px = grid.px(bank.model.mean_diameter_a)
    count = round(spec.coverage * grid.ny * grid.nx / (math.pi * (0.5 * diameter_px) ** 2))
    film = scene.marked("film")
    places = place_particles(
        rng,
        grid,
        count=count,
        distance_px=spec.spacing * diameter_px,
        clustering=spec.clustering,
        overlap=spec.overlap,
        # Some lie on the film, too, but far fewer.
        allowed=None
        if not film.any()
        else ~film | (rng.random(grid.shape, dtype=np.float32) < 0.1),
    )
    numbers = rng.integers(0, 4 * bank.count, len(places))
    scale = np.float32(scene.sigma * spec.particle.contrast)
    layers = [scene.phase]
    if spec.depth_slabs > 1:
        room = max(0.0, spec.ice_thickness_a - 0.6 * bank.model.mean_diameter_a)
        heights = np.linspace(-0.5, 0.5, spec.depth_slabs) * room
        scene.slabs = [(float(h), np.zeros(grid.shape, dtype=np.float32)) for h in heights]
        layers = [phase for _, phase in scene.slabs]
    for place, number in zip(places, numbers, strict=True):
        at = (float(place[0]), float(place[1]))
        layer = layers[int(rng.integers(0, len(layers)))]
        scene.centres.append(stamp(layer, bank, int(number), at, scale))
        scene.orientations.append(bank.orientation(int(number)))


def _add_fragments(
    spec: MicrographSpec, scene: Scene, bank: ProjectionBank, rng: np.random.Generator
) -> None:
    """Add broken pieces and foreign proteins: small blobs of 30 to 120 kDa anywhere in the ice."""
    grid = scene.grid
    covering = math.pi * (0.5 * bank.model.mean_diameter_a) ** 2
    count = int(rng.poisson(spec.fragments * (spec.coverage / covering + 2e-6) * grid.area_a2))
    if count == 0:
        return
    pieces = projection_bank(
        FRAGMENT, spec.pixel_size_a, max(60.0, spec.b_factor_a2), spec.particle_seed
    )
    count = min(count, MOST_FRAGMENTS)
    sizes = rng.lognormal(-0.35, 0.45, count) * scene.sigma * spec.particle.contrast
    y, x = rng.uniform(0, grid.ny, count), rng.uniform(0, grid.nx, count)
    numbers = rng.integers(0, 4 * pieces.count, count)
    for at, number, size in zip(zip(y, x, strict=True), numbers, sizes, strict=True):
        stamp(scene.phase, pieces, int(number), at, np.float32(min(size, 2.0 * scene.sigma)))


def _expected(spec: MicrographSpec, scene: Scene) -> FloatArray:
    """Return the expected intensity ``(ny, nx)`` on the detector, the bare beam being 1."""
    lens = Aberration(
        defocus_u_a=spec.defocus_a + 0.5 * spec.astigmatism_a,
        defocus_v_a=spec.defocus_a - 0.5 * spec.astigmatism_a,
        defocus_angle_deg=spec.astigmatism_angle_deg,
        voltage_kv=spec.voltage_kv,
        cs_mm=spec.cs_mm,
        phase_shift_deg=spec.phase_shift_deg,
        source_angle_mrad=spec.source_angle_mrad,
        energy_spread_a=spec.energy_spread_a,
    )
    wave = exit_wave(scene, spec.amplitude_contrast)
    if abs(spec.tilt_deg) > 2.0:
        image = tilted_intensity(wave, scene.grid, lens, spec.tilt_deg, spec.tilt_axis_deg)
    else:
        image = intensity(wave, scene.grid, lens)
    if not spec.energy_filter:
        # Electrons that lost energy but pass the aperture: a background without contrast.
        image += np.exp(np.float32(-0.33) * scene.loss) - np.exp(-scene.loss)
    return image


def _expose(
    spec: MicrographSpec, grid: Grid, expected: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return the detector's counts: motion, efficiency, counting noise, blur, gain, offset."""
    from scipy.fft import irfft2, rfft2

    detector = DETECTORS[spec.detector]
    signal, blur = transfers(grid, detector, spec.detector_binning)
    spectrum = rfft2(expected)
    moved = motion_transfer(grid, spec.trajectory_a, spec.motion_sigma_a)
    if moved is not None:
        spectrum *= moved
    spectrum *= signal
    image = irfft2(spectrum, grid.shape)
    electrons = spec.dose_e_per_a2 * spec.shutter * spec.pixel_size_a**2 * detector.dqe_zero
    image *= np.float32(electrons)
    if spec.vignetting > 0.0:
        image *= _beam_profile(rng, grid, spec.vignetting)
    counts = count_electrons(rng, image)
    if detector.read_noise > 0.0:
        read = rng.standard_normal(grid.shape, dtype=np.float32)
        counts += read * np.float32(detector.read_noise)
    spectrum = rfft2(counts)
    spectrum *= blur
    pixels = np.ascontiguousarray(grid.cut(irfft2(spectrum, grid.shape)))
    pixels *= fixed_pattern(spec.shape, detector, spec.detector_binning, spec.gain_seed)
    pixels *= np.float32(detector.gain)
    pixels += np.float32(detector.offset)
    heat_pixels(rng, pixels, spec.bad_pixels, spec.detector_binning)
    return pixels


def _beam_profile(rng: np.random.Generator, grid: Grid, depth: float) -> FloatArray:
    """Return the uneven illumination: a parabola with its top near the middle."""
    y = np.linspace(-0.5, 0.5, grid.ny, dtype=np.float32)[:, None] - np.float32(rng.normal(0, 0.25))
    x = np.linspace(-0.5, 0.5, grid.nx, dtype=np.float32)[None, :] - np.float32(rng.normal(0, 0.25))
    return (1.0 - np.float32(2.0 * depth) * (y * y + x * x)).astype(np.float32)


def _break(
    spec: MicrographSpec, scene: Scene, pixels: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Apply the defect ``dead-pixels`` to the counts and note where."""
    for defect in spec.defects:
        if defect.mechanism == "dead-pixels":
            area = quantity("broken_area", defect.strength)
            pixels, broken = break_pixels(rng, pixels, area)
            whole = np.zeros(scene.grid.shape, dtype=np.bool_)
            whole[
                scene.grid.margin_y : scene.grid.margin_y + spec.shape[0],
                scene.grid.margin_x : scene.grid.margin_x + spec.shape[1],
            ] = broken
            scene.mark("broken_exposure", whole)
    return pixels
