"""What can become of a pick, and the bin of the ledger that stands for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from cryoverdict.engine.ledger import Bin

Fate = Literal["kept", "edge", "duplicate", "blank", "not_a_number", "unreadable", "other_scale"]
FATES: tuple[Fate, ...] = get_args(Fate)
"""Their order is that of the numbers in which records keep them: add new ones at the end."""

BIN: Mapping[Fate, Bin] = MappingProxyType(
    {
        "kept": "kept",
        "edge": "rejected",
        "duplicate": "rejected",
        "blank": "rejected",
        "not_a_number": "error",
        "unreadable": "error",
        "other_scale": "error",
    }
)
MEANING: Mapping[Fate, str] = MappingProxyType(
    {
        "kept": "",
        "edge": "too near the edge of the micrograph",
        "duplicate": "nearer to a better particle than the duplicate distance",
        "blank": "its background is one grey value",
        "not_a_number": "its coordinate is not a number",
        "unreadable": "its micrograph or image cannot be read",
        "other_scale": "its micrograph has another pixel size than was decided for",
    }
)


def reason_of(fate: Fate) -> str:
    """Return the words of the ledger for a fate: its name and what it means; none for kept.

    >>> reason_of("edge"), reason_of("kept")
    ('edge: too near the edge of the micrograph', '')
    """
    return f"{fate}: {MEANING[fate]}" if MEANING[fate] else ""
