"""How particles are extracted and classified in two dimensions."""

from __future__ import annotations

from cryoverdict.engine.parameter_kind import Fact, Parameter, ParameterKind

CLASSIFICATION = ParameterKind(
    id="classification",
    facts=(
        Fact(name="particle_count", unit="1", meaning="Particles that were picked."),
        Fact(name="micrograph_count", unit="1", meaning="Micrographs with a pick."),
        Fact(name="diameter_a", unit="A", meaning="Particle diameter that picking settled."),
        Fact(name="diameter_max_a", unit="A", meaning="Largest diameter that was looked for."),
        Fact(name="extent_a", unit="A", meaning="Longest extent of the particle."),
        Fact(name="pixel_size_a", unit="A", meaning="Pixel size of the micrographs."),
        Fact(
            name="micrograph_side_px", unit="px", meaning="Shorter side of the smallest micrograph."
        ),
        Fact(name="defocus_median_a", unit="A", meaning="Median defocus of the micrographs."),
        Fact(
            name="defocus_max_a",
            unit="A",
            meaning="Defocus that 95 % of the micrographs are below.",
        ),
        Fact(name="ctf_resolution_a", unit="A", meaning="Median resolution of the CTF fits."),
        Fact(
            name="ctf_known_share",
            unit="1",
            meaning="Share of the micrographs with a CTF in the list.",
        ),
        Fact(
            name="wavelength_a",
            unit="A",
            meaning="Electron wavelength, which follows from the voltage.",
        ),
        Fact(
            name="contrast_sign",
            unit="1",
            meaning="−1 for dark particles on light ground, 1 for light ones on dark.",
        ),
        Fact(
            name="neighbour_distance_a",
            unit="A",
            meaning="Median distance from a pick to the nearest other one.",
        ),
        Fact(
            name="ground_slope",
            unit="1",
            meaning="Median fall of the ground across a trial particle's box, in deviations.",
        ),
        Fact(
            name="dust_share",
            unit="1",
            meaning="Share of the trial particles with a pixel beyond 6 deviations.",
        ),
        Fact(
            name="trial_particle_count",
            unit="1",
            meaning="Particles on which the mask diameters were tried.",
        ),
        Fact(
            name="distinct_views_count",
            unit="1",
            meaning="Effective number of different class averages in the trial.",
        ),
        Fact(name="previous_classes", unit="1", meaning="Classes of the run that is judged."),
        Fact(name="previous_prior_strength", unit="1", meaning="Prior strength of the run judged."),
        Fact(
            name="previous_iterations",
            unit="1",
            meaning="Iterations of the run that is judged.",
        ),
        Fact(
            name="previous_limit_a", unit="A", meaning="Resolution limit of the run that is judged."
        ),
        Fact(
            name="empty_class_share",
            unit="1",
            meaning="Share of the classes with less than a tenth of a mean class's particles.",
        ),
        Fact(
            name="class_size_gini",
            unit="1",
            meaning="Gini coefficient of the class sizes: 0 all equal, 1 one has everything.",
        ),
        Fact(
            name="streak_ratio",
            unit="1",
            meaning="Change of grey along the circle over that along the radius, outside.",
        ),
        Fact(
            name="round_share",
            unit="1",
            meaning="Share of the particles whose class average is the same all round.",
        ),
        Fact(
            name="held_back_ratio",
            unit="1",
            meaning="Agreement of halves on detail held back from placing, over detail compared.",
        ),
        Fact(
            name="overfit_share",
            unit="1",
            meaning="Share of the classes as fine as the largest ones, of few particles.",
        ),
        Fact(
            name="changed_share",
            unit="1",
            meaning="Share of the particles that changed their class in the last iteration.",
        ),
        Fact(
            name="class_resolution_a",
            unit="A",
            meaning="Median resolution of the class averages, weighted by their particles.",
        ),
    ),
    parameters=(
        Parameter(name="box_px", unit="px", meaning="Box in full-size pixels.", whole=True),
        Parameter(
            name="binned_box_px", unit="px", meaning="Box after Fourier cropping.", whole=True
        ),
        Parameter(
            name="binned_pixel_size_a", unit="A", meaning="Pixel size after Fourier cropping."
        ),
        Parameter(
            name="background_radius_px",
            unit="px",
            meaning="Radius beyond which a particle image is background, in binned pixels.",
            whole=True,
        ),
        Parameter(
            name="invert_contrast",
            unit="1",
            meaning="1 where particles are dark and are turned light.",
            whole=True,
        ),
        Parameter(
            name="fit_plane",
            unit="1",
            meaning="1 where a sloping ground is taken off each image.",
            whole=True,
        ),
        Parameter(
            name="dust_sigma",
            unit="1",
            meaning="Pixels beyond so many deviations are replaced by noise; 0 for none.",
        ),
        Parameter(name="classes", unit="1", meaning="Number of classes.", whole=True),
        Parameter(
            name="mask_diameter_a", unit="A", meaning="Diameter of the soft mask round a particle."
        ),
        Parameter(name="resolution_limit_a", unit="A", meaning="Finest detail that is compared."),
        Parameter(
            name="prior_strength",
            unit="1",
            meaning="Factor on the signal's expected power; half of RELION's T.",
        ),
        Parameter(name="iterations", unit="1", meaning="Iterations.", whole=True),
        Parameter(
            name="offset_range_a",
            unit="A",
            meaning="How far from its box's centre a particle is looked for.",
        ),
        Parameter(
            name="until_first_peak",
            unit="1",
            meaning="1 where the CTF is left alone before its first peak.",
            whole=True,
        ),
        Parameter(
            name="subset_per_class",
            unit="1",
            meaning="Particles per class that the first iterations of a large set look at.",
            whole=True,
        ),
        Parameter(
            name="float16",
            unit="1",
            meaning="1 where particles are stored in half precision.",
            whole=True,
        ),
        Parameter(
            name="duplicate_distance_a",
            unit="A",
            meaning="Of two particles nearer than this the worse one is dropped.",
        ),
    ),
)
