"""What the statistics say of each parameter, given the facts and the parameters before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from cryoverdict.engine.classification_decision.box_sizes import (
    friendly_from,
    friendly_to,
    is_friendly,
)
from cryoverdict.engine.parameter_decision import Estimate

# By name: facts that are known, and parameters settled so far.
Known = Mapping[str, float]
Estimator = Callable[[Known], "Estimate | None"]

BOX_WIDTH = 1.5
BOX_DETAIL_A = 10.0
PIXEL_A = 3.5  # within RELION's 3 to 3.75 Å
BACKGROUND_SHARE = 0.375
MASK_WIDTH = 1.1
PER_CLASS, PER_CLASS_LEAST, PER_CLASS_MOST = 200.0, 100.0, 300.0
CLASSES_USUAL, CLASSES_MOST = 50.0, 200.0
VIEWS_TIMES = 3.0
SHIFT_MARGIN = 1.3
OFFSET_WIDTH = 0.1


def box(known: Known) -> Estimate | None:
    """Return the box: 1.5 diameters, or the diameter and what the CTF spreads, if that is more."""
    if not {"diameter_a", "pixel_size_a"} <= known.keys():
        return None
    diameter, pixel = known["diameter_a"], known["pixel_size_a"]
    wide, text = BOX_WIDTH * diameter, f"{BOX_WIDTH:g} diameters of {diameter:.0f} Å"
    if {"wavelength_a", "defocus_max_a"} <= known.keys():
        spread = 2.0 * known["wavelength_a"] * known["defocus_max_a"] / BOX_DETAIL_A
        if diameter + spread > wide:
            wide = diameter + spread
            text = (
                f"a diameter of {diameter:.0f} Å and {spread:.0f} Å by which a defocus of"
                f" {known['defocus_max_a']:.0f} Å spreads detail of {BOX_DETAIL_A:g} Å"
            )
    value = friendly_from(wide / pixel)
    if "micrograph_side_px" in known:
        value = min(value, friendly_to(known["micrograph_side_px"] / 4))
    return Estimate(
        value=float(value),
        text=f"{text}: {wide / pixel:.0f} px, up to the next size fast for Fourier transforms.",
    )


def binned_box(known: Known) -> Estimate | None:
    """Return the box after cropping: pixels as near to 3.5 Å as a fast size allows."""
    if not {"box_px", "pixel_size_a"} <= known.keys():
        return None
    width_a = known["box_px"] * known["pixel_size_a"]
    most = int(known["box_px"])
    sizes = [n for n in range(16, most + 1) if is_friendly(n) or n == most]
    value = min(sizes, key=lambda n: (abs(np.log(width_a / n / PIXEL_A)), n))
    return Estimate(
        value=float(value),
        text=f"{width_a:.0f} Å in pixels of {width_a / value:.2f} Å; wanted are {PIXEL_A:g} Å.",
    )


def binned_pixel(known: Known) -> Estimate | None:
    """Return the pixel size that follows from both boxes."""
    if not {"box_px", "pixel_size_a", "binned_box_px"} <= known.keys():
        return None
    value = known["box_px"] * known["pixel_size_a"] / known["binned_box_px"]
    boxes = f"{known['box_px']:.0f} px cropped to {known['binned_box_px']:.0f} px"
    return Estimate(value=value, text=f"{boxes}, from pixels of {known['pixel_size_a']:g} Å.")


def background(known: Known) -> Estimate | None:
    """Return the radius of the background: three quarters of the box."""
    if "binned_box_px" not in known:
        return None
    value = round(BACKGROUND_SHARE * known["binned_box_px"])
    return Estimate(value=float(value), text="Three quarters of the box across, RELION's usual.")


def plane(known: Known) -> Estimate | None:
    """Return no plane where no image was looked at; else the rules settle it."""
    if "ground_slope" in known:
        return None
    return Estimate(value=0.0, text="No particle image was there to look for a sloping ground.")


def dust(known: Known) -> Estimate | None:
    """Return no dust removal where no image was looked at; else the rules settle it."""
    if "dust_share" in known:
        return None
    return Estimate(value=0.0, text="No particle image was there to look for dust.")


def classes(known: Known) -> Estimate | None:
    """Return the number of classes: by particles, more where the trial saw many views."""
    if "particle_count" not in known:
        return None
    count = known["particle_count"]
    value = max(count / PER_CLASS, min(CLASSES_USUAL, count / PER_CLASS_LEAST))
    text = f"{count:.0f} particles, {PER_CLASS:g} a class"
    if value > count / PER_CLASS:
        text = f"{count:.0f} particles: few, so that a class gets {PER_CLASS_LEAST:g}"
    views = known.get("distinct_views_count")
    if views is not None and VIEWS_TIMES * views > value:
        value = min(VIEWS_TIMES * views, count / PER_CLASS_LEAST)
        text += (
            f"; {views:.1f} different averages in the trial ask for {VIEWS_TIMES:g} classes each"
        )
    value = float(max(2, int(min(value, CLASSES_MOST))))
    low = float(max(2, int(min(count / PER_CLASS_MOST, value))))
    high = max(value, float(int(min(count / PER_CLASS_LEAST, CLASSES_MOST))))
    return Estimate(value=value, low=low, high=high, text=f"{text}.")


def mask(known: Known) -> Estimate | None:
    """Return the usual mask, where no trial says better."""
    if "diameter_a" not in known:
        return None
    return Estimate(
        value=MASK_WIDTH * known["diameter_a"],
        text=f"{MASK_WIDTH:g} diameters: no masks were tried on particles.",
    )


def offsets(known: Known) -> Estimate | None:
    """Return the usual reach, where no trial says how far picks err."""
    if "diameter_a" not in known:
        return None
    return Estimate(
        value=OFFSET_WIDTH * known["diameter_a"],
        text=f"{OFFSET_WIDTH:g} diameters: no trial says how far the picks err.",
    )


# In the order of the kind's parameters; the others are settled by rules alone.
ESTIMATORS: Mapping[str, Estimator] = {
    "box_px": box,
    "binned_box_px": binned_box,
    "binned_pixel_size_a": binned_pixel,
    "background_radius_px": background,
    "fit_plane": plane,
    "dust_sigma": dust,
    "classes": classes,
    "mask_diameter_a": mask,
    "offset_range_a": offsets,
}
