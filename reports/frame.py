"""The frame of every page: its template environment, its assets, its folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoverdict.reports.number import UNIT_SIGNS, write_number, write_quantity, write_share
from cryoverdict.reports.report_error import ReportError

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
PAGE = "index.html"
# By this line a later run knows that a folder is a report and may be written anew.
MARK = '<meta name="generator" content="cryoverdict">'
FRAME_ASSETS = ("frame.css", "frame.js")


@cache
def environment() -> Environment:
    """Return the template environment: everything is escaped, and a missing name is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["number"] = write_number
    made.filters["quantity"] = write_quantity
    made.filters["unit_sign"] = lambda unit: UNIT_SIGNS.get(unit, unit)
    made.globals["share"] = write_share
    return made


def write_page(
    folder: Path, template: str, context: Mapping[str, Any], assets: Sequence[str] = ()
) -> Path:
    """Write ``folder/index.html`` from a template, and the assets it names beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "assets").mkdir(exist_ok=True)
    for name in (*FRAME_ASSETS, *assets):
        text = (HERE / "assets" / name).read_text(encoding="utf-8")
        (folder / "assets" / name).write_text(text, encoding="utf-8")
    html = environment().get_template(template).render(context)
    page = folder / PAGE
    temporary = page.with_name(page.name + ".part")
    temporary.write_text(html, encoding="utf-8")
    temporary.replace(page)
    return page


def write_folder(folder: Path, write: Callable[[Path], Path]) -> Path:
    """Let ``write`` fill a new folder, then put it in the place of ``folder``.

    Whoever opens the report meets the old one or the new one, never half of one. Raises
    `ReportError` where ``folder`` holds something that is not a report, which stays untouched.
    """
    if folder.exists() and not _is_report(folder):
        msg = f"{folder}: holds something else than a report; give a new or an empty folder"
        raise ReportError(msg)
    part = folder.with_name(folder.name + ".part")
    if part.exists():
        shutil.rmtree(part)
    page = write(part)
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)
    return folder / page.relative_to(part)


def _is_report(folder: Path) -> bool:
    """Say whether a folder is empty or was written by this module."""
    if not folder.is_dir():
        return False
    page = folder / PAGE
    if not page.is_file():
        return not any(folder.iterdir())
    return MARK in page.read_text(encoding="utf-8", errors="replace")
