"""Reading and writing STAR files with every value kept as it was written.

The starfile package (0.5.13) is not used for it, as a list has to come back unchanged: it turns the
file name ``o'neil.mrc`` into ``o"neil.mrc``, stops at ``grid#2.mrc`` and at ``data_1/a.mrc``, reads
a file that is not UTF-8 as an empty one, retypes values (``0012``, ``-0`` and ``4.180408e-04`` come
back as 12, 0 and 0.000418), names no line in its errors and writes the time.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from cryoverdict.features.input_error import InputError

# RELION 3.1 and later tell their own files from older ones by this line before each block.
VERSION_LINE = "# version 30001"
# How a value that is not known is written: RELION reads it as a number (0, in version 3.1), so that
# the column keeps its type; other readers see that there is none.
UNKNOWN = "nan"
# Inside quotes a token may hold blanks; a quote within a bare token is part of it.
TOKEN = re.compile(r"""\s*(?:"([^"]*)"(?=\s|$)|'([^']*)'(?=\s|$)|(\S+))""", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class StarTable:
    """One block of a STAR file; a list of label and value pairs is a table of one row.

    ``columns`` are the labels without their underscore, ``rows`` the values as written, without
    quotes; ``lines`` the line number of each row in the file it was read from.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...] = field(default=(), compare=False)

    def column(self, label: str) -> tuple[str, ...] | None:
        """Return the values of one column, or ``None`` where the table lacks it."""
        if label not in self.columns:
            return None
        i = self.columns.index(label)
        return tuple(row[i] for row in self.rows)

    def place(self, row: int) -> str:
        """Return words that say where a row stands in its file."""
        return f"line {self.lines[row]}" if row < len(self.lines) else f"row {row + 1}"


def read_star(path: Path) -> dict[str, StarTable]:
    """Return the blocks of a STAR file by name (``data_optics`` is ``optics``).

    Follows RELION: values are separated by blanks, may stand in single or double quotes, and a
    ``#`` within a value belongs to it. More generous than RELION 3.1, empty lines and comments
    between rows are passed over. Bytes that are not UTF-8 are kept (as surrogates, as in file
    names). Raises `InputError` with the line for a value too many or too few, a label that stands
    twice, and a file that is no STAR file.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            msg = f"{path}: not a regular file; accepted is a STAR file"
            raise InputError(msg)
        text = path.read_bytes().decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{str(path)!r}: cannot be read ({reason}); accepted is a STAR file"
        raise InputError(msg) from error
    blocks: dict[str, StarTable] = {}
    block: _Block | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        tokens = split_line(line)
        if not tokens:
            continue
        if len(tokens) == 1 and tokens[0].startswith("data_"):
            if block is not None:
                blocks[block.name] = block.table()
            block = _Block(name=tokens[0].removeprefix("data_"), path=path)
            if block.name in blocks:
                msg = f"{path}: line {number}: the block data_{block.name} stands twice"
                raise InputError(msg)
        elif block is None:
            found = f"found {tokens[0][:40]!r} before any data_ block"
            msg = f"{path}: line {number}: {found}; accepted is a STAR file"
            raise InputError(msg)
        else:
            block.take(tokens, number)
    if block is None:
        msg = f"{path}: holds no data_ block; accepted is a STAR file"
        raise InputError(msg)
    blocks[block.name] = block.table()
    return blocks


def split_line(line: str) -> list[str]:
    """Return the values of one line without their quotes; none for a comment.

    >>> split_line('''"a b.mrc"  o'neil.mrc  grid#2.mrc  -0   # said later''')
    ['a b.mrc', "o'neil.mrc", 'grid#2.mrc', '-0']
    """
    if line.isascii() and not any(mark in line for mark in "\"'#"):
        return line.split()
    tokens: list[str] = []
    for match in TOKEN.finditer(line):
        double, single, bare = match.groups()
        if bare is not None and bare.startswith("#"):
            break
        tokens.append(next(part for part in (double, single, bare) if part is not None))
    return tokens


def parse_number(text: str) -> float | None:
    """Return the number a value says, ``None`` for NaN, infinity and the words for nothing.

    Raises ``ValueError`` for text that is neither.

    >>> parse_number("-0"), parse_number("4.2e3"), parse_number("-nan"), parse_number("None")
    (0.0, 4200.0, None, None)
    """
    if text.lower() in ("", "none", "null", "<na>", "na", ".", "?", "-nan"):
        return None
    value = float(text) + 0.0  # the sum makes -0 a plain 0
    return value if isfinite(value) else None


def format_star(blocks: Mapping[str, StarTable]) -> str:
    """Return the text of a STAR file as RELION 3.1 and later write and read it."""
    parts: list[str] = []
    for name, table in blocks.items():
        labels = [f"_{label} #{i}" for i, label in enumerate(table.columns, start=1)]
        rows = [" ".join(quote(value) for value in row) for row in table.rows]
        parts += ["", VERSION_LINE, "", f"data_{name}", "", "loop_", *labels, *rows, ""]
    return "\n".join([*parts, ""])


def write_star(path: Path, blocks: Mapping[str, StarTable]) -> None:
    """Write a STAR file under a temporary name that is then moved into place."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(format_star(blocks).encode("utf-8", "surrogateescape"))
    temporary.replace(path)


def quote(value: str) -> str:
    """Return a value as one token: in quotes where RELION would not read it whole otherwise.

    Line breaks and other control characters become underscores, so that no value can forge a row.

    >>> quote("a b.mrc"), quote(""), quote("_x"), quote("o'neil#2.mrc")
    ('"a b.mrc"', '""', '"_x"', "o'neil#2.mrc")
    """
    value = "".join("_" if not c.isprintable() and c < "\xa0" else c for c in value)
    blank = any(c.isspace() for c in value)
    if value and not blank and value[0] not in "\"'_#;" and not value.startswith("data_"):
        return value
    mark = "'" if '"' in value else '"'
    return f"{mark}{value.replace(mark, '_')}{mark}"


def table_of(rows: Iterable[Mapping[str, str]], columns: Sequence[str] = ()) -> StarTable:
    """Return a table of rows given as label and value; ``columns`` first, then as they are met.

    A cell that a row lacks is `UNKNOWN` in a column of numbers and ``none`` in one of words.
    """
    listed = list(rows)
    labels = tuple(dict.fromkeys([*columns, *(label for row in listed for label in row)]))
    nothing = {
        label: UNKNOWN if all(_says_number(r[label]) for r in listed if label in r) else "none"
        for label in labels
    }
    cells = tuple(tuple(row.get(label, nothing[label]) for label in labels) for row in listed)
    return StarTable(columns=labels, rows=cells)


def _says_number(text: str) -> bool:
    """Return whether a value is a number or a word for none."""
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


@dataclass(slots=True, kw_only=True)
class _Block:
    """A block while it is read line by line."""

    name: str
    path: Path
    columns: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    pairs: dict[str, str] = field(default_factory=dict)
    loop: bool = False

    def take(self, tokens: list[str], number: int) -> None:
        """Take the values of one line as a label, a pair or a row."""
        first = tokens[0]
        if first == "loop_" and len(tokens) == 1 and not self.rows:
            self.loop = True
        elif first.startswith("_") and not self.rows and (len(tokens) == 1 or not self.loop):
            self._take_label(tokens, number)
        elif self.loop:
            if len(tokens) != len(self.columns):
                msg = (
                    f"{self.path}: line {number}: data_{self.name} has {len(self.columns)} columns,"
                    f" this row {len(tokens)} values; put a value with blanks in quotes"
                )
                raise InputError(msg)
            self.rows.append(tuple(tokens))
            self.lines.append(number)
        else:
            msg = f"{self.path}: line {number}: found {first[:40]!r}; accepted is loop_ or a _label"
            raise InputError(msg)

    def _take_label(self, tokens: list[str], number: int) -> None:
        """Take a column's label, or, outside a loop, a label with its value."""
        label = tokens[0].removeprefix("_")
        if label in self.columns or label in self.pairs:
            msg = f"{self.path}: line {number}: the label _{label} stands twice in data_{self.name}"
            raise InputError(msg)
        if self.loop:
            self.columns.append(label)
        elif len(tokens) == 2:
            self.pairs[label] = tokens[1]
            self.lines = [number]
        else:
            msg = f"{self.path}: line {number}: accepted after _{label} is one value"
            raise InputError(msg)

    def table(self) -> StarTable:
        """Return what was read; pairs that stand before a loop are columns equal in every row."""
        names, values = tuple(self.pairs), tuple(self.pairs.values())
        rows = [values + row for row in self.rows] if self.loop else [values] if values else []
        return StarTable(
            columns=names + tuple(self.columns), rows=tuple(rows), lines=tuple(self.lines)
        )
