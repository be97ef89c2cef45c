"""A digest of source, so that results made by other code are not taken for finished ones."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files


@cache
def code_digest(*packages: str) -> str:
    """Return the SHA-256 of the modules that lie directly in the named packages.

    A version's number would not do: it is the same before and after a change of the source.
    """
    sha = hashlib.sha256()
    for package in packages:
        for entry in sorted(files(package).iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".py"):
                sha.update(f"{package}/{entry.name}".encode() + entry.read_bytes())
    return sha.hexdigest()
