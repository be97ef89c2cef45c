"""The Fourier transform of a picking image and what is computed with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_image import PickingImage

_Float = NDArray[np.float32]
_Double = NDArray[np.float64]
_Complex = NDArray[np.complex64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PickingField:
    """A picking image on flat ground, mirrored at its borders by ``margin`` pixels, transformed.

    ``transform`` ``(y, x // 2 + 1)`` complex64 is that of an image of ``shape``; ``frequency`` its
    frequencies in 1/Å. ``transfer`` is what the lens makes of particles that are light: sin χ,
    the CTF with its sign turned; 1 everywhere where no CTF is known. ``whole`` is the transform
    with what is not usable left in, by which what lies there is counted.
    """

    image: PickingImage
    margin: int
    shape: tuple[int, int]
    transform: _Complex
    whole: _Complex
    frequency: _Float
    transfer: _Float

    @property
    def inner(self) -> tuple[slice, slice]:
        """Where the image lies in the mirrored one."""
        height, width = self.image.pixels.shape
        return (slice(self.margin, self.margin + height), slice(self.margin, self.margin + width))

    def image_of(self, transform: _Complex) -> _Float:
        """Return the part of an image, given its transform, that lies in the micrograph."""
        from scipy import fft

        whole = fft.irfft2(transform, s=self.shape)
        return np.ascontiguousarray(whole[self.inner], np.float32)

    def transform_of(self, image: _Float) -> _Complex:
        """Return the transform of an image of the micrograph's size, mirrored at its borders."""
        from scipy import fft

        height, width = image.shape
        below = self.shape[0] - height - self.margin
        right = self.shape[1] - width - self.margin
        padded = np.pad(image, ((self.margin, below), (self.margin, right)), mode="symmetric")
        return np.asarray(fft.rfft2(padded), np.complex64)

    def places_transform(self, y: _Double, x: _Double, weight: _Double) -> _Complex:
        """Return the transform of points of some weights, each shared by its four pixels."""
        from scipy import fft

        spots = np.zeros(self.shape, np.float32)
        height, width = self.image.pixels.shape
        # What lies near a border stands in its mirror image, too, as in the mirrored micrograph.
        for ys, at_y in _with_mirrored(y, height, self.margin, self.shape[0]):
            for xs, at_x in _with_mirrored(x, width, self.margin, self.shape[1]):
                both = at_y & at_x
                _spread(spots, ys[both], xs[both], weight[both])
        return np.asarray(fft.rfft2(spots), np.complex64)


def _with_mirrored(
    at: _Double, length: int, margin: int, padded: int
) -> list[tuple[_Double, NDArray[np.bool_]]]:
    """Return places on a mirrored axis: themselves and their two mirror images, where inside."""
    shifted = [at + margin, margin - 1.0 - at, margin + 2.0 * length - 1.0 - at]
    return [(s, (s >= 0.0) & (s <= padded - 1.0)) for s in shifted]


def _spread(spots: _Float, y: _Double, x: _Double, weight: _Double) -> None:
    """Add weighted points to an image, bilinearly, in place."""
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    for down in (0, 1):
        for across in (0, 1):
            share = weight * (1.0 - np.abs(y - top - down)) * (1.0 - np.abs(x - left - across))
            rows = np.minimum(top + down, spots.shape[0] - 1)
            columns = np.minimum(left + across, spots.shape[1] - 1)
            np.add.at(spots, (rows, columns), share.astype(np.float32))


def picking_field(image: PickingImage, diameter_a: float) -> PickingField:
    """Return the field for things of up to ``diameter_a``: ground flattened, borders mirrored.

    The ground is the mean over a Gaussian of that width of what is usable; what is not usable is
    set to it.
    """
    from scipy import fft, ndimage

    size_px = diameter_a / image.pixel_size_a
    margin = min(int(np.ceil(size_px)), *image.pixels.shape)
    usable = image.usable.astype(np.float32)

    def smooth(values: _Float) -> _Float:
        return np.asarray(ndimage.gaussian_filter(values, size_px, truncate=2.5), np.float32)

    ground = smooth(image.pixels * usable) / np.maximum(smooth(usable), np.float32(1e-3))
    flat = (image.pixels - ground) * usable
    height, width = image.pixels.shape
    shape = (
        int(fft.next_fast_len(height + 2 * margin, real=True)),
        int(fft.next_fast_len(width + 2 * margin, real=True)),
    )
    fy = (fft.fftfreq(shape[0]) / image.pixel_size_a)[:, None]
    fx = (fft.rfftfreq(shape[1]) / image.pixel_size_a)[None, :]
    frequency = np.hypot(fy, fx).astype(np.float32)
    transfer = np.ones(frequency.shape, np.float32)
    if image.ctf is not None:
        transfer = -image.ctf.value(frequency, np.arctan2(fy, fx)).astype(np.float32)
        if image.ctf.mean_defocus_a < 0.0:  # overfocus shows what absorbs as light
            transfer = -transfer
    field = PickingField(
        image=image,
        margin=margin,
        shape=shape,
        transform=np.zeros((1, 1), np.complex64),
        whole=np.zeros((1, 1), np.complex64),
        frequency=frequency,
        transfer=transfer,
    )
    flat_transform = field.transform_of(np.asarray(flat, np.float32))
    whole = flat_transform
    if not image.usable.all():
        everything = np.asarray(image.pixels - smooth(image.pixels), np.float32)
        whole = field.transform_of(np.where(image.usable, flat, everything).astype(np.float32))
    return replace(field, transform=flat_transform, whole=whole)
