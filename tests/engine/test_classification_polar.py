"""The polar form of images: exact transform, rotation as a phase, shift as a ramp."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cryoverdict.engine.classification.polar import (  # noqa: E402
    PolarGrid,
    polar_grid,
    shift_grid,
)

BOX, SIZE = 32, 4.0


def grid() -> PolarGrid:
    return polar_grid(box=BOX, pixel_size_a=SIZE, mask_diameter_a=88.0, resolution_limit_a=12.0)


def blobs(turn_rad: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Return three Gaussian blobs, turned from x towards y round the centre, then moved."""
    y, x = np.mgrid[:BOX, :BOX] - BOX // 2
    image = np.zeros((BOX, BOX))
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    for px, py, height in ((4.0, 1.0, 1.0), (-2.0, 4.5, 0.7), (-1.0, -5.0, 1.4)):
        qx, qy = c * px - s * py + shift[0], s * px + c * py + shift[1]
        image += height * np.exp(-((x - qx) ** 2 + (y - qy) ** 2) / (2 * 1.6**2))
    return torch.from_numpy(image.astype(np.float32))[None]


def test_the_transform_on_the_axes_is_the_fft_of_the_masked_image() -> None:
    g, image = grid(), blobs()
    polar = g.transform(image)[0]
    fft = torch.fft.fft2(torch.fft.ifftshift(image[0] * g.mask))
    for ring in range(g.rings):
        k = ring + 1
        assert polar[ring, 0] == pytest.approx(complex(fft[0, k]), rel=2e-4, abs=2e-4)
        assert polar[ring, g.top // 2] == pytest.approx(complex(fft[k, 0]), rel=2e-4, abs=2e-4)


def test_harmonics_and_half_circle_are_inverse() -> None:
    g = grid()
    half = g.transform(blobs())
    assert torch.allclose(g.half_circle(g.harmonics(half)), half, atol=1e-4)
    power = (half.real**2 + half.imag**2).mean(dim=-1)
    assert torch.allclose(g.power(g.harmonics(half)), power, rtol=1e-4)


def test_a_turn_multiplies_the_harmonics_by_a_phase() -> None:
    g, angle = grid(), 0.7
    before, after = (g.harmonics(g.transform(blobs(turn))) for turn in (0.0, angle))
    order = torch.arange(g.top + 1)
    turned = before * torch.exp(-1j * order * angle)
    strong = g.power(before)[0] > 1e-2 * g.power(before)[0, 0]
    error = g.power(turned - after)[0][strong] / g.power(before)[0][strong]
    assert float(error.max()) < 1e-4


def test_a_ramp_moves_the_image() -> None:
    g, shift = grid(), (1.5, -2.0)
    before, after = g.transform(blobs()), g.transform(blobs(shift=shift))
    moved = before * g.ramps(torch.tensor([shift]))
    assert torch.allclose(moved, after, atol=2e-2 * float(before.abs().max()))
    assert not torch.allclose(before, after, atol=2e-1 * float(before.abs().max()))


def test_the_image_comes_back_from_its_harmonics() -> None:
    g, image = grid(), blobs()
    back = g.image(g.harmonics(g.transform(image)))[0]
    inside = g.mask > 0.99
    original = image[0][inside] - image[0][inside].mean()
    again = back[inside] - back[inside].mean()
    scale = float((again * original).sum() / (original**2).sum())
    assert scale == pytest.approx(1.0, abs=0.05)
    assert float(torch.corrcoef(torch.stack([original, again]))[0, 1]) > 0.99


def test_shifts_fill_a_disc_from_its_centre() -> None:
    shifts = shift_grid(5.0, 2.0)
    assert len(shifts) == 21
    assert shifts[0].tolist() == [0.0, 0.0]
    assert float(torch.linalg.vector_norm(shifts, dim=1).max()) <= 5.0


def test_the_mask_never_leaves_the_box() -> None:
    wide = polar_grid(box=BOX, pixel_size_a=SIZE, mask_diameter_a=500.0, resolution_limit_a=20.0)
    assert float(wide.mask[0].max()) == 0.0
    assert wide.reach_px < BOX / 2
