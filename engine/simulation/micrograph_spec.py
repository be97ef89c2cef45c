"""What is to be simulated: every setting of one micrograph."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryoverdict.features.optics import Optics


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One thing that is wrong: a mechanism of `defects.MECHANISMS` and its strength, 0 to 1.

    Strength follows the severity scale of `severity`: below 0.3 an expert does not mind, from 0.5
    on it alone is a reason to reject, 1 is hopeless.
    """

    mechanism: str
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleSpec:
    """Which particle: ``name`` of a generated one, or ``path`` of a PDB, mmCIF or MRC file.

    ``preference`` is how strongly orientations are preferred (0 to 1); ``contrast`` scales its
    potential, for the loss between theory and real images.
    """

    name: str = "barrel"
    path: str | None = None
    preference: float = 0.0
    contrast: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrographSpec:
    """Every setting of one simulated micrograph.

    ``shape`` is (rows, columns). ``detector_binning`` is how many detector pixels a pixel is wide.
    ``coverage`` is the fraction of the area taken by particles, ``spacing`` the least distance of
    two centres in mean diameters, ``clustering`` 0 (even) to 1 (in clouds), ``overlap`` the
    fraction of particles put anywhere, without regard to others. ``fragments`` is how many broken
    pieces and foreign proteins there are for each particle, ``debris`` the unseen background of
    smaller ones (mg/ml), ``surface`` the roughness of the ice (1 is frozen capillary waves),
    ``specks`` the mean number of small dark contaminants per µm². ``depth_slabs`` > 1 gives
    particles their own height in the ice, and so their own defocus. ``trajectory_a`` are offsets
    (dy, dx) in Å held for equal times, ``motion_sigma_a`` the rest. ``shutter`` is the fraction of
    the dose that arrived, ``second_exposure`` the weight of another field of view exposed on the
    same frame. ``source_angle_mrad`` and ``energy_spread_a`` (focus spread) are the coherence of
    the beam. ``particle_seed`` and ``gain_seed`` are the same for all micrographs of a data set.
    """

    shape: tuple[int, int] = (1024, 1024)
    pixel_size_a: float = 1.5
    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.1
    energy_filter: bool = True
    detector: str = "k2"
    detector_binning: float = 1.0
    dose_e_per_a2: float = 45.0
    defocus_a: float = 15000.0
    astigmatism_a: float = 200.0
    astigmatism_angle_deg: float = 30.0
    phase_shift_deg: float = 0.0
    source_angle_mrad: float = 0.03
    energy_spread_a: float = 60.0
    tilt_deg: float = 0.0
    tilt_axis_deg: float = 0.0
    b_factor_a2: float = 60.0
    ice_thickness_a: float = 350.0
    ice_gradient: float = 0.06
    ice_roughness: float = 0.02
    surface: float = 4.0
    debris: float = 2.0
    specks: float = 2.0
    threads: int = 0
    particle: ParticleSpec = field(default_factory=ParticleSpec)
    coverage: float = 0.2
    spacing: float = 0.9
    clustering: float = 0.3
    fragments: float = 0.3
    overlap: float = 0.02
    depth_slabs: int = 1
    trajectory_a: tuple[tuple[float, float], ...] = ()
    motion_sigma_a: float = 0.6
    shutter: float = 1.0
    second_exposure: float = 0.0
    bad_pixels: float = 1e-6
    vignetting: float = 0.004
    particle_seed: int = 0
    gain_seed: int = 0
    defects: tuple[Defect, ...] = ()

    @property
    def optics(self) -> Optics:
        """The optics as a user would give them."""
        return Optics(
            pixel_size_a=self.pixel_size_a,
            voltage_kv=self.voltage_kv,
            cs_mm=self.cs_mm,
            amplitude_contrast=self.amplitude_contrast,
        )
