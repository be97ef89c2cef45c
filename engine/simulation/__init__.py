"""Simulated micrographs with known truth.

How a micrograph comes about
    ``micrograph_spec`` holds the settings; ``defects`` lets what goes wrong change them. ``scene``
    is painted: ``ice`` (solvent noise from water's structure factor and its movement in the beam,
    fragments, frozen surface waves), ``film``, ``particle`` and ``placement``, ``contamination``,
    ``crystalline_ice``. ``exposure`` and ``aberration`` carry the wave through the lens, to all
    orders; ``detector`` counts electrons. ``severity`` and ``truth`` say what is then true.
    ``data_set`` draws sessions, ``data_set_files`` writes them, ``spec_file`` reads them from YAML;
    ``reference`` draws those of the reference catalogue, and how each arrives (counts, or pictures
    that were binned, stretched, bent, equalised, smoothed, framed with stripes, sent as JPEG).

How well it passes for real
    ``python tests/benchmarks/simulator.py`` compares crops of 128 pixels of real micrographs (27
    pictures of 21 sessions, thumbnails at about 8 Å a pixel) with crops of random simulated
    sessions at the same binning: a random forest on 52 texture measurements (power spectrum,
    moments over scales, local binary patterns, spread of the local variance), whole sessions left
    out. It is right in 0.64 of the crops at equal errors, AUC 0.73, with 200 simulated thumbnails;
    with 120 it is right in 0.73, AUC 0.82 (the default; so take it as 0.7 to 0.8; 0.5 would be
    perfect, and the first version of the simulator had 0.87). What gives the simulated away: where
    the first zero of the CTF lies (the real ones at hand are mostly 3 to 5 µm under focus), and
    texture at about 3 pixels (local binary patterns), i.e. background structure of 25 to 60 Å;
    skewness. Least like any simulated one are a finely mottled crystalline micrograph and a JPEG
    with uneven light. Not looked at: detectors' fixed patterns and counts, which thumbnails do not
    keep.

What it does not do
    Inelastic scattering is a loss (and, without an energy filter, a background), not a signal.
    Bend contours and lattice fringes are painted, not diffracted. Particles are rigid and whole;
    generated ones have invented inner detail. Contaminants lie in the plane of focus.
"""
