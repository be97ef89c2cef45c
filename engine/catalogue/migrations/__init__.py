"""The steps that make an older catalogue one of today, oldest first.

An own ladder and not Alembic: steps only ever go up, each is a function in the tuple below, and all
that are missing run in one transaction under a lock, so that two processes may open an empty
catalogue at once. Alembic's scripts are found by path, its environment is a script of its own, and
it holds no lock. A step never imports today's tables: it says what they were when it was written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cryoverdict.engine.catalogue.migrations.s0001_first_tables import first_tables

if TYPE_CHECKING:
    import sqlalchemy as sa

Step = Callable[["sa.Connection"], None]

STEPS: tuple[Step, ...] = (first_tables,)
