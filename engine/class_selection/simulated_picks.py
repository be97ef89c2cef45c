"""Pictures that a picker cut out, good and bad, each with what it truly shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.class_selection.pick_session import KINDS, PARTICLE, PickSession
from cryoverdict.engine.class_selection.random_shape import random_assembly
from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.simulation.particle import BeadModel, random_rotations, splat
from cryoverdict.features.ctf import Ctf
from cryoverdict.features.star import table_of, write_star

FloatArray = NDArray[np.float32]
VOLTAGE_KV, CS_MM, AMPLITUDE_CONTRAST = 300.0, 2.7, 0.1
BLUR_A = 2.0
# The ice scatters most below about 1/80 Å, above a white floor of counting noise.
ICE_SHARE, ICE_PEAK, ICE_CUT = 0.3, 6.0, 0.012


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPicks:
    """``n`` images ``(n, box, box)`` and their truth.

    ``kind`` ``(n,)`` indexes `KINDS`; ``clean`` ``(n, box, box)`` is what is in the middle of the
    image before neighbours, CTF and noise, at its true place; ``defocus_a`` ``(n,)``.
    """

    images: FloatArray
    clean: FloatArray
    kind: NDArray[np.int64]
    defocus_a: FloatArray


def simulated_picks(session: PickSession) -> SimulatedPicks:
    """Return the pictures of a session; the same session gives the same ones."""
    rng = np.random.default_rng((session.seed, 611))
    scene = _Scene.prepared(session, rng)
    shares = np.array([1.0 - sum(session.junk), *session.junk])
    kind = rng.choice(len(KINDS), session.count, p=shares / shares.sum())
    defocus_a = rng.uniform(*session.defocus_a, session.count).astype(np.float32)
    images = np.empty((session.count, session.box, session.box), dtype=np.float32)
    clean = np.empty_like(images)
    for i in range(session.count):
        clean[i], whole = scene.picture(KINDS[int(kind[i])])
        images[i] = scene.photograph(whole, float(defocus_a[i]))
    return SimulatedPicks(images=images, clean=clean, kind=kind, defocus_a=defocus_a)


def write_picks(picks: SimulatedPicks, session: PickSession, folder: Path) -> Path:
    """Write ``particles.mrcs`` and ``particles.star`` into ``folder``; return the STAR file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mrcs(folder / "particles.mrcs", picks.images, session.pixel_size_a)
    optics = {
        "rlnOpticsGroupName": "opticsGroup1",
        "rlnOpticsGroup": "1",
        "rlnVoltage": f"{VOLTAGE_KV:g}",
        "rlnSphericalAberration": f"{CS_MM:g}",
        "rlnAmplitudeContrast": f"{AMPLITUDE_CONTRAST:g}",
        "rlnImagePixelSize": f"{session.pixel_size_a:.6g}",
        "rlnImageSize": str(session.box),
        "rlnImageDimensionality": "2",
    }
    rng = np.random.default_rng((session.seed, 612))
    told = picks.defocus_a + session.ctf_error_a * rng.standard_normal(session.count)
    rows = (
        {
            "rlnImageName": f"{i + 1:06d}@particles.mrcs",
            "rlnMicrographName": f"micrograph_{i // 100:03d}.mrc",
            "rlnOpticsGroup": "1",
            "rlnDefocusU": f"{defocus:.1f}",
            "rlnDefocusV": f"{defocus:.1f}",
            "rlnDefocusAngle": "0.0",
        }
        for i, defocus in enumerate(np.maximum(told, 1000.0))
    )
    path = folder / "particles.star"
    write_star(path, {"optics": table_of([optics]), "particles": table_of(rows)})
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What all pictures of a session share: the models, their scale, the frequency axes."""

    session: PickSession
    rng: np.random.Generator
    strangers: tuple[BeadModel, ...]
    scale: float
    kx: NDArray[np.float64]
    ky: NDArray[np.float64]

    @classmethod
    def prepared(cls, session: PickSession, rng: np.random.Generator) -> _Scene:
        """Return the scene, its contrast set so that the particles' mean is as asked."""
        plain = cls(
            session=session,
            rng=rng,
            strangers=tuple(random_assembly(rng) for _ in range(2)),
            scale=1.0,
            ky=np.fft.fftfreq(session.box, session.pixel_size_a)[:, None].astype(np.float64),
            kx=np.fft.rfftfreq(session.box, session.pixel_size_a)[None, :].astype(np.float64),
        )
        y, x = plain.grid()
        within = np.hypot(x, y) <= 0.5 * session.diameter_a / session.pixel_size_a
        drawn = [plain.projection(m) for m in session.species for _ in range(20)]
        deviation = float(np.mean([image[within].std() for image in drawn]))
        return cls(
            session=session,
            rng=rng,
            strangers=plain.strangers,
            scale=float(np.sqrt(session.contrast)) / deviation,
            kx=plain.kx,
            ky=plain.ky,
        )

    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return y and x in pixels from the centre."""
        axis = np.arange(self.session.box, dtype=float) - self.session.box // 2
        return np.meshgrid(axis, axis, indexing="ij")

    @property
    def amplitude(self) -> float:
        """Deviation of a particle's projection, in those of the noise."""
        return float(np.sqrt(self.session.contrast))

    @property
    def radius_px(self) -> float:
        """Radius of the particles in pixels."""
        return 0.5 * self.session.diameter_a / self.session.pixel_size_a

    def projection(self, model: BeadModel, *, cut: float | None = None) -> FloatArray:
        """Return a projection in a random direction, of all beads or those below a plane."""
        positions, keep = model.positions_a, np.ones(len(model.positions_a), dtype=bool)
        if cut is not None:
            plane = self.rng.standard_normal(3)
            height = positions @ (plane / np.linalg.norm(plane)).astype(np.float32)
            keep = height < np.quantile(height, cut)
            positions = positions[keep] - positions[keep].mean(axis=0)
        rotation = random_rotations(self.rng, 1, self.session.preference)[0]
        flat = (positions @ rotation[:2].T / np.float32(self.session.pixel_size_a)).astype(
            np.float32
        )
        k2 = self.kx**2 + self.ky**2
        own, hole = (
            np.fft.rfft2(splat(flat, weights[keep], self.session.box))
            * np.exp(-2 * np.pi**2 * (sigma**2 + BLUR_A**2) * k2)
            for weights, sigma in (
                (model.potential_va3, model.bead_sigma_a),
                (model.displaced_va3, model.hole_sigma_a),
            )
        )
        box = self.session.box
        return np.asarray(np.fft.irfft2(own - hole, (box, box)) * self.scale, dtype=np.float32)

    def particle(self) -> FloatArray:
        """Return a projection of one of the species."""
        species = self.session.species
        return self.projection(species[int(self.rng.integers(len(species)))])

    def moved(self, image: FloatArray, x_px: float, y_px: float) -> FloatArray:
        """Return the image moved by (x, y) pixels, what leaves the box cut off."""
        from scipy.ndimage import shift

        return np.asarray(shift(image, (y_px, x_px), order=1), dtype=np.float32)

    def beside(self, distance_px: float) -> FloatArray:
        """Return a particle at a distance from the centre, in a random direction."""
        angle = self.rng.uniform(0, 2 * np.pi)
        return self.moved(self.particle(), distance_px * np.cos(angle), distance_px * np.sin(angle))

    def picture(self, kind: str) -> tuple[FloatArray, FloatArray]:
        """Return what is in the middle, and the whole field with its neighbours."""
        rng, reach = self.rng, 2.0 * self.radius_px
        middle = self.middle(kind)
        dx, dy = rng.normal(0.0, self.session.shift_sigma_px, 2)
        middle = self.moved(middle, float(dx), float(dy))
        whole = middle
        if kind != "edge" and rng.random() < self.session.crowding:
            whole = whole + self.beside(float(rng.uniform(0.95, 1.5)) * reach)
        return middle, whole

    def middle(self, kind: str) -> FloatArray:
        """Return what the picker fired on."""
        rng, box, radius = self.rng, self.session.box, self.radius_px
        y, x = self.grid()
        if kind == PARTICLE:
            return self.particle()
        if kind == "empty":
            return np.zeros((box, box), dtype=np.float32)
        if kind == "ice":
            size = rng.uniform(0.35, 1.1) * radius
            squash = rng.uniform(0.7, 1.0)
            angle = rng.uniform(0, np.pi)
            u = x * np.cos(angle) + y * np.sin(angle)
            v = (y * np.cos(angle) - x * np.sin(angle)) / squash
            ball = np.exp(-(((u**2 + v**2) / (2 * size**2)) ** 2))
            return np.asarray(rng.uniform(2.5, 8.0) * self.amplitude * ball, dtype=np.float32)
        if kind == "edge":
            angle, offset = rng.uniform(0, 2 * np.pi), rng.normal(0.0, 0.4 * radius)
            bend = rng.normal(0.0, 0.15) / radius
            along = y * np.cos(angle) - x * np.sin(angle)
            across = x * np.cos(angle) + y * np.sin(angle) - offset + bend * along**2
            step = 1 / (1 + np.exp(np.clip(-across / 1.5, -60, 60)))
            ridge = rng.uniform(0.0, 1.0) * np.exp(-((across / 2.5) ** 2))
            height = rng.uniform(1.5, 5.0) * self.amplitude
            field = step + ridge
            return np.asarray(height * (field - field.mean()), dtype=np.float32)
        if kind == "neighbours":
            angle = rng.uniform(0, 2 * np.pi)
            total = np.zeros((box, box), dtype=np.float32)
            for side in (0.0, np.pi):
                away = rng.uniform(0.75, 1.1) * radius
                turn = angle + side + rng.normal(0.0, 0.25)
                total += self.moved(self.particle(), away * np.cos(turn), away * np.sin(turn))
            return total
        if kind == "off_centre":
            return self.beside(float(rng.uniform(0.6, 1.1)) * radius)
        if kind == "contamination":
            stranger = self.strangers[int(rng.integers(len(self.strangers)))]
            return np.asarray(rng.uniform(0.7, 1.6) * self.projection(stranger), dtype=np.float32)
        if kind == "aggregate":
            total = np.zeros((box, box), dtype=np.float32)
            for _ in range(int(rng.integers(3, 6))):
                total += self.beside(float(rng.uniform(0.1, 1.2)) * radius)
            return total
        if kind == "denatured":
            return self.denatured()
        species = self.session.species
        whole = species[int(rng.integers(len(species)))]
        return self.projection(whole, cut=float(rng.uniform(0.3, 0.6)))

    def denatured(self) -> FloatArray:
        """Return an unfolded particle: a chain of lobes of about its mass, each one different."""
        rng, radius = self.rng, self.radius_px
        y, x = self.grid()
        total = np.zeros((self.session.box, self.session.box))
        at = rng.normal(0.0, 0.2 * radius, 2)
        for _ in range(int(rng.integers(4, 11))):
            size = rng.uniform(0.15, 0.4) * radius
            lobe = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * size**2))
            total += rng.uniform(0.5, 1.0) * lobe
            at = 0.85 * at + rng.normal(0.0, 0.35 * radius, 2)
        inside = np.hypot(x, y) <= radius
        strength = rng.uniform(0.6, 1.3) * self.amplitude / max(float(total[inside].std()), 1e-6)
        return np.asarray(strength * total, dtype=np.float32)

    def photograph(self, clean: FloatArray, defocus_a: float) -> FloatArray:
        """Return the image through the microscope, with noise, normalised as at extraction."""
        ctf = Ctf(
            defocus_u_a=defocus_a,
            defocus_v_a=defocus_a,
            voltage_kv=VOLTAGE_KV,
            cs_mm=CS_MM,
            amplitude_contrast=AMPLITUDE_CONTRAST,
        )
        box = self.session.box
        k = np.hypot(self.kx, self.ky)
        noise = np.fft.rfft2(self.rng.standard_normal((box, box)))
        noise *= np.sqrt(1 - ICE_SHARE + ICE_SHARE * ICE_PEAK / (1 + (k / ICE_CUT) ** 2))
        spectrum = -np.fft.rfft2(clean) * ctf.grid(box, self.session.pixel_size_a) + noise
        image = np.fft.irfft2(spectrum, (box, box))
        y, x = self.grid()
        ground = image[np.hypot(x, y) > 0.46 * box]
        return np.asarray((image - ground.mean()) / ground.std(), dtype=np.float32)
