"""What is to be entered into the catalogue: one micrograph with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from cryoverdict.engine.catalogue.rating import Rating
from cryoverdict.features.micrograph import Micrograph

Origin = Literal["observed", "simulated"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One micrograph for the catalogue.

    ``source`` says in words or by an address where it comes from; ``decisions`` are lines of a
    decisions.jsonl about it.
    """

    micrograph: Micrograph
    data_set: str
    source: str = ""
    origin: Origin = "observed"
    ratings: tuple[Rating, ...] = ()
    decisions: tuple[str, ...] = ()
