"""One micrograph as the picking step meets it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics


@dataclass(frozen=True, slots=True, kw_only=True)
class PickingMicrograph:
    """A micrograph, its optics where they are better known than the list's, and its usable area.

    ``optics`` is completed from the micrograph's own and then from the file's header.
    ``usable_area`` is the map that the judging step wrote (MRC of mode 0, 0 is usable); without
    one, the map is made from the image.
    """

    micrograph: Micrograph
    optics: Optics | None = None
    usable_area: Path | None = None

    @property
    def subject(self) -> str:
        """The name under which decisions speak of the micrograph."""
        return self.micrograph.subject
