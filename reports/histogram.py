"""A distribution as the outlines of a small figure: kept above the line, rejected below."""

from __future__ import annotations

from dataclasses import dataclass

from cryoverdict.reports.distribution import Distribution

WIDTH = 280
HEIGHT = 84
MIDDLE = 46
# The least height of a bin that holds anything, so that a single subject is seen.
LEAST = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """SVG path data in a box of `WIDTH` by `HEIGHT`, each outcome scaled to its own peak."""

    kept: str
    rejected: str
    width: int = WIDTH
    height: int = HEIGHT
    middle: int = MIDDLE


def histogram_of(distribution: Distribution) -> Histogram:
    """Return the outlines of a distribution."""
    return Histogram(
        kept=_outline(distribution.kept, -(MIDDLE - 2)),
        rejected=_outline(distribution.rejected, HEIGHT - MIDDLE - 2),
    )


def _outline(counts: tuple[int, ...], reach: int) -> str:
    """Return bars of one outcome that reach at most ``reach`` from the middle line (− is up)."""
    peak = max(counts)
    step = WIDTH / len(counts)
    direction = 1 if reach > 0 else -1
    bars = []
    for k, n in enumerate(counts):
        if n:
            length = direction * max(LEAST, abs(reach) * n / peak)
            foot = MIDDLE + direction * 0.5
            bars.append(
                f"M{k * step + 0.5:.4g} {foot:g}v{length:.3g}h{step - 1:.3g}v{-length:.3g}z"
            )
    return "".join(bars)
