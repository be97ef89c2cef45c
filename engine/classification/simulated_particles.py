"""Particle images with known truth, to try classifications on: mixed species and junk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.simulation.particle import BeadModel, random_rotations, splat
from cryoverdict.engine.simulation.particle_shapes import generated_particle
from cryoverdict.features.ctf import Ctf
from cryoverdict.features.star import table_of, write_star

FloatArray = NDArray[np.float32]
JUNK = -1
JUNK_KINDS = ("ice alone", "ice crystal", "edge", "two particles")
VOLTAGE_KV, CS_MM, AMPLITUDE_CONTRAST = 300.0, 2.7, 0.1
DEFOCUS_A = (7000.0, 25000.0)
# Standard deviation of the B-factor's blur, and of a picker's error.
BLUR_A = 1.5
# The ice scatters most below about 1/80 Å, above a white floor of counting noise.
ICE_SHARE, ICE_PEAK, ICE_CUT = 0.3, 6.0, 0.012


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedParticles:
    """``n`` images ``(n, box, box)``, bright particles, normalised; and what they truly are.

    ``species`` ``(n,)``: index into ``names``, or `JUNK`; ``junk`` ``(n,)``: index into
    `JUNK_KINDS`, of particles too (where it says nothing). ``clean``: the images before noise, CTF
    and shift, centred.
    """

    names: tuple[str, ...]
    images: FloatArray
    clean: FloatArray
    species: NDArray[np.int64]
    junk: NDArray[np.int64]
    defocus_a: FloatArray
    pixel_size_a: float


def simulated_particles(
    *,
    seed: int,
    count: int,
    species: Sequence[str],
    junk_share: float,
    contrast: float,
    box: int = 64,
    pixel_size_a: float = 3.54,
    shift_sigma_px: float = 1.5,
) -> SimulatedParticles:
    """Return particles of the named shapes (`particle_shapes.SHAPES`) in random directions.

    ``contrast`` is the ratio of the variance of the particles' projections, within 90 Å and before
    the CTF, to that of the noise. The same arguments give the same images.
    """
    rng = np.random.default_rng((seed, count, box))
    scene = _Scene.prepared(rng, species, contrast, box, pixel_size_a)
    kinds = np.where(rng.random(count) < junk_share, JUNK, rng.integers(0, len(species), count))
    junk = rng.integers(0, len(JUNK_KINDS), count)
    defocus_a = rng.uniform(*DEFOCUS_A, count).astype(np.float32)
    images = np.empty((count, box, box), dtype=np.float32)
    clean = np.empty_like(images)
    for i in range(count):
        clean[i] = scene.particle(int(kinds[i])) if kinds[i] != JUNK else scene.junk(int(junk[i]))
        images[i] = scene.photograph(clean[i], float(defocus_a[i]), shift_sigma_px)
    return SimulatedParticles(
        names=tuple(species),
        images=images,
        clean=clean,
        species=kinds,
        junk=junk,
        defocus_a=defocus_a,
        pixel_size_a=pixel_size_a,
    )


def write_particles(particles: SimulatedParticles, folder: Path) -> Path:
    """Write ``particles.mrcs`` and ``particles.star`` into ``folder``; return the STAR file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mrcs(folder / "particles.mrcs", particles.images, particles.pixel_size_a)
    optics = {
        "rlnOpticsGroupName": "opticsGroup1",
        "rlnOpticsGroup": "1",
        "rlnVoltage": f"{VOLTAGE_KV:g}",
        "rlnSphericalAberration": f"{CS_MM:g}",
        "rlnAmplitudeContrast": f"{AMPLITUDE_CONTRAST:g}",
        "rlnImagePixelSize": f"{particles.pixel_size_a:g}",
        "rlnImageSize": str(particles.images.shape[-1]),
        "rlnImageDimensionality": "2",
    }
    rows = (
        {
            "rlnImageName": f"{i + 1:06d}@particles.mrcs",
            "rlnMicrographName": f"micrograph_{i // 100:03d}.mrc",
            "rlnOpticsGroup": "1",
            "rlnDefocusU": f"{defocus:.1f}",
            "rlnDefocusV": f"{defocus:.1f}",
            "rlnDefocusAngle": "0.0",
        }
        for i, defocus in enumerate(particles.defocus_a)
    )
    path = folder / "particles.star"
    write_star(path, {"optics": table_of([optics]), "particles": table_of(rows)})
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What all images of one set share: models, their scale, frequency axes, the generator."""

    rng: np.random.Generator
    models: tuple[BeadModel, ...]
    scale: float
    amplitude: float
    box: int
    pixel_size_a: float
    kx: NDArray[np.float64]
    ky: NDArray[np.float64]

    @classmethod
    def prepared(
        cls,
        rng: np.random.Generator,
        species: Sequence[str],
        contrast: float,
        box: int,
        pixel_size_a: float,
    ) -> _Scene:
        """Return the scene, its contrast set so that the species' mean is as asked."""
        models = tuple(generated_particle(name) for name in species)
        ky = np.fft.fftfreq(box, pixel_size_a)[:, None].astype(np.float64)
        kx = np.fft.rfftfreq(box, pixel_size_a)[None, :].astype(np.float64)
        plain = cls(
            rng=rng,
            models=models,
            scale=1.0,
            amplitude=float(np.sqrt(contrast)),
            box=box,
            pixel_size_a=pixel_size_a,
            kx=kx,
            ky=ky,
        )
        y, x = plain.grid()
        within = np.hypot(x, y) <= 90.0 / pixel_size_a
        drawn = [plain.particle(j) for j in range(len(models)) for _ in range(30)]
        deviation = np.mean([image[within].std() for image in drawn])
        return cls(
            rng=rng,
            models=models,
            scale=float(np.sqrt(contrast) / deviation),
            amplitude=plain.amplitude,
            box=box,
            pixel_size_a=pixel_size_a,
            kx=kx,
            ky=ky,
        )

    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return y and x in pixels from the centre."""
        axis = np.arange(self.box, dtype=float) - self.box // 2
        return axis[:, None] * np.ones(self.box), axis[None, :] * np.ones((self.box, 1))

    def particle(self, number: int) -> FloatArray:
        """Return a projection of one species in a random direction."""
        model, size = self.models[number], self.pixel_size_a
        rotation = random_rotations(self.rng, 1, 0.0)[0]
        flat = (model.positions_a @ rotation[:2].T / np.float32(size)).astype(np.float32)
        k2 = self.kx**2 + self.ky**2
        own, hole = (
            np.fft.rfft2(splat(flat, weights, self.box))
            * np.exp(-2 * np.pi**2 * (sigma**2 + BLUR_A**2) * k2)
            for weights, sigma in (
                (model.potential_va3, model.bead_sigma_a),
                (model.displaced_va3, model.hole_sigma_a),
            )
        )
        image = np.fft.irfft2(own - hole, (self.box, self.box))
        return np.asarray(image * self.scale, dtype=np.float32)

    def junk(self, kind: int) -> FloatArray:
        """Return what a picker takes for a particle: see `JUNK_KINDS`."""
        rng, (y, x) = self.rng, self.grid()
        if kind == 0:
            return np.zeros((self.box, self.box), dtype=np.float32)
        if kind == 1:
            at, radius = rng.normal(0.0, 0.125 * self.box, 2), rng.uniform(0.125, 0.28) * self.box
            bell = np.exp(-((((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * radius**2)) ** 2))
            return np.asarray(rng.uniform(3.0, 8.0) * self.amplitude * bell, dtype=np.float32)
        if kind == 2:
            angle, offset = rng.uniform(0, 2 * np.pi), rng.normal(0.0, 0.125 * self.box)
            step = 1 / (1 + np.exp(-(x * np.cos(angle) + y * np.sin(angle) - offset) / 1.5))
            height = rng.uniform(2.0, 6.0) * self.amplitude
            return np.asarray(height * (step - step.mean()), dtype=np.float32)
        total = np.zeros((self.box, self.box), dtype=np.float32)
        angle = rng.uniform(0, 2 * np.pi)
        for side in (0.0, np.pi):
            away_a, turn = rng.uniform(60.0, 75.0), angle + side + rng.normal(0.0, 0.3)
            one = self.particle(int(rng.integers(len(self.models))))
            total += self.moved(one, away_a * np.cos(turn), away_a * np.sin(turn))
        return total

    def moved(self, image: FloatArray, x_a: float, y_a: float) -> FloatArray:
        """Return the image moved by (x, y) Å."""
        ramp = np.exp(-2j * np.pi * (self.kx * x_a + self.ky * y_a))
        out: FloatArray = np.fft.irfft2(np.fft.rfft2(image) * ramp, image.shape).astype(np.float32)
        return out

    def photograph(self, clean: FloatArray, defocus_a: float, shift_sigma_px: float) -> FloatArray:
        """Return the image off centre, through the microscope, with noise, normalised."""
        ctf = Ctf(
            defocus_u_a=defocus_a,
            defocus_v_a=defocus_a,
            voltage_kv=VOLTAGE_KV,
            cs_mm=CS_MM,
            amplitude_contrast=AMPLITUDE_CONTRAST,
        )
        shift_a = self.rng.normal(0.0, shift_sigma_px * self.pixel_size_a, 2)
        k = np.hypot(self.kx, self.ky)
        transfer = -ctf.grid(self.box, self.pixel_size_a)
        noise = np.fft.rfft2(self.rng.standard_normal((self.box, self.box)))
        noise *= np.sqrt(1 - ICE_SHARE + ICE_SHARE * ICE_PEAK / (1 + (k / ICE_CUT) ** 2))
        spectrum = np.fft.rfft2(self.moved(clean, *shift_a)) * transfer + noise
        image = np.fft.irfft2(spectrum, (self.box, self.box))
        y, x = self.grid()
        ground = image[np.hypot(x, y) > 0.45 * self.box]
        return np.asarray((image - ground.mean()) / ground.std(), dtype=np.float32)
