"""Names under which the page speaks of CWL files, and the files behind them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoverdict.cwl.runner.workflow_file import WORKFLOWS, read_process
from cryoverdict.features.input_error import InputError

SHIPPED = WORKFLOWS.parent
SUFFIX = ".cwl"
# Folders of the package whose files may be named, in the order in which a person looks for them.
SHIPPED_FOLDERS = ("tools", "workflows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A CWL file: shipped with the package, or in the user's folder; ``path`` is relative to it.

    On the page it is ``shipped/tools/pick.cwl`` or ``folder/my.cwl``.
    """

    shipped: bool
    path: str

    def __str__(self) -> str:
        """Return the name that the page uses."""
        return f"{'shipped' if self.shipped else 'folder'}/{self.path}"


def read_reference(text: str) -> Reference:
    """Return the reference that a text names; raises `InputError` for anything else."""
    place, slash, path = text.partition("/")
    if not slash or place not in ("shipped", "folder") or not path.endswith(SUFFIX):
        msg = f"{text}: not a CWL file that this page knows; accepted is shipped/… or folder/…"
        raise InputError(msg)
    return Reference(shipped=place == "shipped", path=path)


def find_file(reference: Reference, folder: Path) -> Path:
    """Return the file behind a reference; raises `InputError` where there is none.

    Symbolic links are followed before the place is judged: nothing outside the package's CWL and
    the folder is ever read.
    """
    base = (SHIPPED if reference.shipped else folder).resolve()
    path = (base / reference.path).resolve()
    inside = path.is_relative_to(base) and path.suffix == SUFFIX
    if reference.shipped and inside:
        inside = path.relative_to(base).parts[0] in SHIPPED_FOLDERS
    if not inside or not path.is_file():
        msg = f"{reference}: no such file; accepted are CWL files of the package and of {folder}"
        raise InputError(msg)
    return path


def refer_to(path: Path, folder: Path) -> Reference:
    """Return the reference of a file; raises `InputError` where it lies elsewhere."""
    resolved = path.resolve()
    for shipped, base in ((True, SHIPPED.resolve()), (False, folder.resolve())):
        if not resolved.is_relative_to(base):
            continue
        relative = resolved.relative_to(base)
        if not shipped or relative.parts[0] in SHIPPED_FOLDERS:
            reference = Reference(shipped=shipped, path=relative.as_posix())
            find_file(reference, folder)
            return reference
    msg = f"{path}: lies neither in {folder} nor in the package; give its folder with --folder"
    raise InputError(msg)


def list_references(folder: Path) -> tuple[Reference, ...]:
    """Return the shipped tools and workflows, then the CWL files of the folder.

    Only the folder itself and the two folders that saving makes are looked through.
    """
    found = [
        Reference(shipped=True, path=path.relative_to(SHIPPED).as_posix())
        for name in SHIPPED_FOLDERS
        for path in sorted((SHIPPED / name).glob(f"*{SUFFIX}"))
    ]
    base = folder.resolve()
    for place in (base, *(base / name for name in SHIPPED_FOLDERS)):
        for path in sorted(place.glob(f"*{SUFFIX}")):
            if path.resolve().is_relative_to(base):
                found.append(Reference(shipped=False, path=path.relative_to(base).as_posix()))
    return tuple(found)


def read_reference_file(reference: Reference, folder: Path) -> dict[str, Any]:
    """Return the CWL process behind a reference; raises `InputError` where it cannot be read."""
    return read_process(find_file(reference, folder))
