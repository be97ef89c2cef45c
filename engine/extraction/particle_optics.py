"""The optics groups of particles, made from those of their micrographs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryoverdict.features.relion_list import GROUP
from cryoverdict.features.star import StarTable, parse_number, table_of

MICROGRAPH_SIZE = "rlnMicrographPixelSize"
ORIGINAL_SIZE = "rlnMicrographOriginalPixelSize"
IMAGE_SIZE = "rlnImagePixelSize"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticleOptics:
    """A ``data_optics`` table of particles; ``pixel_size_a`` (Å) where all groups have the same."""

    table: StarTable
    pixel_size_a: float | None


def particle_optics(
    micrographs: StarTable, used: Iterable[str], *, binning: float, box_px: int
) -> ParticleOptics:
    """Return the groups of micrographs that are ``used``, with the particles' size and box.

    The micrographs' own pixel size stays beside it, as the particles' coordinates count in it.
    Follows the optics groups that RELION 3.1's extraction writes.
    """
    wanted = set(used)
    rows = []
    sizes = set()
    for values in micrographs.rows:
        row = dict(zip(micrographs.columns, values, strict=True))
        if row[GROUP] not in wanted:
            continue
        size = parse_number(row.get(MICROGRAPH_SIZE, ""))
        row.setdefault(ORIGINAL_SIZE, row.get(MICROGRAPH_SIZE, "nan"))
        row |= {
            IMAGE_SIZE: "nan" if size is None else f"{size * binning:.6f}",
            "rlnImageSize": str(box_px),
            "rlnImageDimensionality": "2",
            "rlnCtfDataAreCtfPremultiplied": "0",
        }
        sizes.add(row[IMAGE_SIZE])
        rows.append(row)
    added = (ORIGINAL_SIZE, IMAGE_SIZE, "rlnImageSize", "rlnImageDimensionality")
    table = table_of(
        rows, [*micrographs.columns, *(c for c in added if c not in micrographs.columns)]
    )
    common = sizes.pop() if len(sizes) == 1 else "nan"
    return ParticleOptics(table=table, pixel_size_a=parse_number(common))
