"""What one person said of one micrograph, when, and in which words."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.training.labelled_set import Label

UNNAMED = "unnamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A label with its rater.

    ``rated_on`` is a day as ``YYYY-MM-DD``, ``None`` where nobody told. ``said`` are the words as
    they were given, ``place`` is where they stood. ``nonce`` tells apart two ratings that say the
    same; it is empty for what comes from a file, so that a file read twice counts once.
    """

    label: Label
    rater: str = UNNAMED
    rated_on: str | None = None
    said: str = ""
    place: str = ""
    nonce: str = ""

    def key(self, content_hash: str) -> str:
        """Return the digest under which a catalogue has this rating of a micrograph once."""
        label = self.label
        content = [
            content_hash,
            self.rater,
            self.rated_on,
            label.favourable,
            label.grade,
            sorted(label.defects),
            sorted(label.doubtful),
            label.weight,
            self.said,
            self.nonce,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def check_day(text: str | None, place: str) -> str | None:
    """Return a day as ``YYYY-MM-DD``; raises `EngineError` for anything else."""
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()) is None:
            raise ValueError
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError:
        msg = f"{place}: the date is {text!r}; accepted is a day as 2024-05-31"
        raise EngineError(msg) from None
