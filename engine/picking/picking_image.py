"""A micrograph sampled for picking: particles light, its usable area, its CTF."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.features.area_map import AreaKind, usable_area
from cryoverdict.features.cell_grid import cell_means, spread_cells
from cryoverdict.features.ctf import Ctf
from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.view import View

_Float = NDArray[np.float32]

# Grey values beyond this many robust deviations of the binned image are things no particle is.
CLIPPED_DEVIATIONS = 6.0
FEWEST_RINGS, NEAREST_FOCUS_A = 3.0, 2500.0
USUAL_OPTICS = Optics(voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PickingImage:
    """A micrograph binned for picking.

    ``pixels`` ``(y, x)`` float32 has median 0 and robust deviation 1 in the usable area, in the
    file's own contrast times ``sign`` (−1 makes dark particles light). ``kind`` ``(y, x)`` uint8
    holds the codes of `AreaKind`. A pixel is ``pixel_size_a`` wide; pixel ``i`` of an axis lies at
    ``(i + 0.5) * step - 0.5`` of the full-size micrograph of ``full_shape``, with ``step``
    ``(y, x)``. ``ctf`` is ``None`` where neither the list nor the rings tell it.
    ``file_contrast`` is positive where the file's particles seem dark, by
    the contrast sign of the view.
    """

    subject: str
    pixels: _Float
    kind: NDArray[np.uint8]
    pixel_size_a: float
    step: tuple[float, float]
    full_shape: tuple[int, int]
    ctf: Ctf | None
    file_contrast: float

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Where particles may be picked."""
        usable: NDArray[np.bool_] = self.kind == AreaKind.USABLE
        return usable

    def full_px(
        self, y: NDArray[np.float64], x: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return places ``(y, x)`` of this image as pixels of the full-size micrograph."""
        return (y + 0.5) * self.step[0] - 0.5, (x + 0.5) * self.step[1] - 0.5


def read_picking_image(
    subject: PickingMicrograph, pixel_size_a: float, *, sign: float = -1.0, with_ctf: bool = True
) -> PickingImage:
    """Read a micrograph and bin it to about ``pixel_size_a`` (never finer than it is).

    Raises `InputError` where the image cannot be read or its pixel size is unknown.
    """
    from cryoverdict.features.micrograph_list import check_pixel_size
    from cryoverdict.features.prepare import prepare
    from cryoverdict.features.read_image import read_image

    micrograph = subject.micrograph
    image = read_image(micrograph.path)
    optics = check_pixel_size(micrograph, image)
    if subject.optics is not None:
        optics = subject.optics.completed(optics)
    if optics.pixel_size_a is None:
        msg = (
            f"{micrograph.subject}: the pixel size is unknown; picking needs it, in the list or as "
            "--pixel-size-a"
        )
        raise InputError(msg)
    view = prepare(micrograph, image, optics)
    del image
    return picking_image(subject, view, pixel_size_a, sign=sign, with_ctf=with_ctf)


def picking_image(
    subject: PickingMicrograph,
    view: View,
    pixel_size_a: float,
    *,
    sign: float = -1.0,
    with_ctf: bool = True,
) -> PickingImage:
    """Return the picking image of a view whose pixel size is known."""
    full_size_a = view.optics.pixel_size_a
    assert full_size_a is not None
    full_shape = (view.pixels.shape[0], view.pixels.shape[1])
    shape = binned_shape(full_shape, pixel_size_a / full_size_a)
    pixels = binned(view.pixels, shape)
    if view.inverted:  # the view has turned the file's contrast round
        sign = -sign
    kind = _kinds(subject.usable_area, view, shape)
    step = (full_shape[0] / shape[0], full_shape[1] / shape[1])
    return PickingImage(
        subject=subject.subject,
        pixels=_standardised(pixels * np.float32(sign), kind == AreaKind.USABLE),
        kind=kind,
        pixel_size_a=full_size_a * (step[0] * step[1]) ** 0.5,
        step=step,
        full_shape=full_shape,
        ctf=_ctf(subject, view) if with_ctf else None,
        file_contrast=view.contrast_sign,
    )


def rebinned(image: PickingImage, pixel_size_a: float) -> PickingImage:
    """Return a picking image at a coarser sampling; at its own where that is coarser already."""
    shape = binned_shape(
        (image.pixels.shape[0], image.pixels.shape[1]), pixel_size_a / image.pixel_size_a
    )
    if shape == image.pixels.shape:
        return image
    kind = spread_cells(image.kind, shape)
    step = (image.full_shape[0] / shape[0], image.full_shape[1] / shape[1])
    full_size_a = image.pixel_size_a / (image.step[0] * image.step[1]) ** 0.5
    return replace(
        image,
        pixels=_standardised(binned(image.pixels, shape), kind == AreaKind.USABLE),
        kind=kind,
        pixel_size_a=full_size_a * (step[0] * step[1]) ** 0.5,
        step=step,
    )


def windowed(image: PickingImage, side_a: float) -> PickingImage:
    """Return the most usable of five windows of a picking image, as an image of its own."""
    side = int(side_a / image.pixel_size_a) if side_a < 1e9 else max(image.pixels.shape)
    height, width = (min(side, n) for n in image.pixels.shape)
    if (height, width) == image.pixels.shape:
        return image
    down, right = (n - s for n, s in zip(image.pixels.shape, (height, width), strict=True))
    corners = ((down // 2, right // 2), (0, 0), (0, right), (down, 0), (down, right))
    usable = image.usable
    top, left = max(corners, key=lambda c: usable[c[0] : c[0] + height, c[1] : c[1] + width].sum())
    part = (slice(top, top + height), slice(left, left + width))
    return replace(
        image,
        pixels=image.pixels[part],
        kind=image.kind[part],
        full_shape=(round(height * image.step[0]), round(width * image.step[1])),
    )


def binned_shape(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return the sides of an image binned by ``factor``, even numbers that transform fast."""
    if factor <= 1.0:
        return shape
    from scipy.fft import next_fast_len

    sides = [min(side, int(next_fast_len(max(16, round(side / factor))))) for side in shape]
    return sides[0], sides[1]


def binned(pixels: _Float, shape: tuple[int, int]) -> _Float:
    """Return an image cropped in frequency to ``shape``, with the same field of view.

    The cosine transform mirrors the borders, so that they do not ring into each other, and samples
    pixel centres as areas do: pixel ``i`` of ``m`` lies at ``(i + 0.5) n / m - 0.5`` of ``n``. Far
    finer images are averaged over whole blocks first, which is faster, leaves at least twice the
    sampling and takes away no more than a tenth at the highest frequency kept.
    """
    from scipy import fft

    if pixels.shape == shape:
        return np.array(pixels, np.float32)
    for block in range(min(n // (2 * m) for n, m in zip(pixels.shape, shape, strict=True)), 1, -1):
        if pixels.shape[0] % block == 0 and pixels.shape[1] % block == 0:
            pixels = cell_means(pixels, (pixels.shape[0] // block, pixels.shape[1] // block))
            break
    transform = fft.dctn(pixels, norm="ortho")[: shape[0], : shape[1]]
    scale = np.float32((shape[0] * shape[1] / pixels.size) ** 0.5)
    return np.asarray(fft.idctn(transform, norm="ortho") * scale, np.float32)


def _kinds(stored: Path | None, view: View, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return what lies in each pixel, from the stored map or from the view."""
    if stored is None:
        return spread_cells(view.once(usable_area).kind, shape)
    import mrcfile

    try:
        with mrcfile.open(stored, mode="r") as file:
            kind = np.asarray(file.data)
    except (OSError, ValueError) as error:
        msg = f"{stored}: the usable-area map cannot be read ({error})"
        raise InputError(msg) from error
    if kind.ndim != 2 or kind.dtype.kind not in "iu" or kind.min() < 0 or kind.max() > 255:
        msg = f"{stored}: {kind.ndim}-dimensional {kind.dtype}; accepted is a 2-D map of area codes"
        raise InputError(msg)
    return spread_cells(kind.astype(np.uint8), shape)


def _ctf(subject: PickingMicrograph, view: View) -> Ctf | None:
    """Return the CTF of the list, or the fitted one where its rings are seen.

    Where the rings lie depends, at the resolution of picking, on the product of wavelength and
    defocus alone, so that a usual microscope stands in for one that is not named.
    """
    from cryoverdict.features.ctf_fit import fit_ctf

    optics = view.optics.completed(USUAL_OPTICS)
    given = subject.micrograph.given_ctf
    if given is not None and not view.optics.missing_for_ctf:
        return Ctf.of(given, optics)
    try:
        fit = fit_ctf(view.spectrum, optics)
    except InputError:  # too coarse for rings
        return None
    sure = fit.rings_seen
    if not view.grey.has_counts:  # stretched or denoised pictures may show rings that are none
        sure = sure and fit.ring_count >= FEWEST_RINGS and fit.ctf.mean_defocus_a > NEAREST_FOCUS_A
    return fit.ctf if sure else None


def _standardised(pixels: _Float, usable: NDArray[np.bool_]) -> _Float:
    """Return the image with median 0 and robust deviation 1 in the usable area, extremes cut."""
    values = pixels[usable] if usable.any() else pixels.ravel()
    values = values[:: max(1, len(values) // 200_000)]
    median = np.median(values)
    deviation = 1.482602 * float(np.median(np.abs(values - median)))
    if deviation <= 0.0:
        deviation = float(values.std()) or 1.0
    pixels = (pixels - median) / np.float32(deviation)
    return np.clip(pixels, -CLIPPED_DEVIATIONS, CLIPPED_DEVIATIONS).astype(np.float32)
