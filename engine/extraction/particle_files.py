"""The list of particles and the table of all picks, written a micrograph at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.extraction.particle_fate import BIN, FATES, reason_of
from cryoverdict.engine.ledger import Count
from cryoverdict.features.star import StarTable, format_star, quote

BINS_FILE = "particle_bins.parquet"
ROWS_AT_ONCE = 200_000
# A value that starts so would be read as something else.
NEEDS_QUOTES = re.compile(r"""(?:^| )(?:["'_#;]|data_)""")


class ParticleStarWriter:
    """Writes a STAR 3.1 file of particles, whose rows need not be in memory together."""

    def __init__(self, path: Path, optics: StarTable, columns: Sequence[str]) -> None:
        """Prepare the writing of the given columns; nothing is opened yet."""
        self.path = path
        self._part = path.with_name(path.name + ".part")
        head = {"optics": optics, "particles": StarTable(columns=tuple(columns), rows=())}
        self._head = format_star(head).rstrip("\n") + "\n"
        self._stream: TextIO | None = None

    def __enter__(self) -> Self:
        """Open the temporary file and write the optics groups and the labels."""
        self._stream = self._part.open("w", encoding="utf-8", errors="surrogateescape")
        self._stream.write(self._head)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Move the file into place, or take it away after an exception."""
        assert self._stream is not None
        if kind is None:
            self._stream.write("\n")
        self._stream.close()
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink()

    def write(self, rows: Iterable[Sequence[str]]) -> None:
        """Append rows of values."""
        assert self._stream is not None
        self._stream.writelines(line_of(row) + "\n" for row in rows)


def line_of(row: Sequence[str]) -> str:
    """Return a row as a line of a STAR file; quotes only where a value needs them.

    Most lines need none, and one look at the whole line is many times faster than one at each
    value: a list of two million particles has fifty million of them.

    >>> line_of(["1.5", "000001@a.mrcs"]), line_of(["a b", ""])
    ('1.5 000001@a.mrcs', '"a b" ""')
    """
    line = " ".join(row)
    whole = line.count(" ") == len(row) - 1 and line == line.strip(" ") and "  " not in line
    if line and whole and line.isascii() and line.isprintable() and not NEEDS_QUOTES.search(line):
        return line
    return " ".join(map(quote, row))


class ParticleBins:
    """The fate of every particle: counted, and written into a table beside the ledger.

    The table has the columns micrograph, number (of the pick, or of the row in the list that came
    in, from 1), bin, reason, x_px and y_px. An item's name is ``MICROGRAPH#NUMBER``, the number
    with six digits.
    """

    def __init__(self, path: Path) -> None:
        """Prepare the table; nothing is opened yet."""
        import pyarrow as pa

        self.path = path
        self.counted = np.zeros(len(FATES), dtype=np.int64)
        self._part = path.with_name(path.name + ".part")
        self._waiting: list[Any] = []
        self._schema = pa.schema(
            [
                ("micrograph", pa.dictionary(pa.int32(), pa.string())),
                ("number", pa.int32()),
                ("bin", pa.dictionary(pa.int8(), pa.string())),
                ("reason", pa.dictionary(pa.int8(), pa.string())),
                ("x_px", pa.float64()),
                ("y_px", pa.float64()),
            ]
        )
        self._writer: Any = None

    def __enter__(self) -> Self:
        """Open the temporary file."""
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(self._part, self._schema)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Move the table into place, or take it away after an exception."""
        if kind is None:
            self._flush()
        self._writer.close()
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink()

    def take(
        self,
        micrograph: str,
        fate: NDArray[np.uint8],
        x_px: NDArray[np.float64],
        y_px: NDArray[np.float64],
        numbers: NDArray[np.int64] | None = None,
    ) -> None:
        """Take the fates of one micrograph's particles."""
        import pyarrow as pa

        self.counted += np.bincount(fate, minlength=len(FATES))
        count = len(fate)
        place = np.arange(1, count + 1) if numbers is None else numbers
        bins = sorted(set(BIN.values()))
        code = np.array([bins.index(BIN[f]) for f in FATES], dtype=np.int8)
        self._waiting.append(
            pa.record_batch(
                [
                    pa.DictionaryArray.from_arrays(
                        pa.array(np.zeros(count, np.int32)),
                        pa.array([micrograph.encode("utf-8", "replace").decode()]),
                    ),
                    pa.array(place.astype(np.int32)),
                    pa.DictionaryArray.from_arrays(pa.array(code[fate]), pa.array(bins)),
                    pa.DictionaryArray.from_arrays(
                        pa.array(fate.astype(np.int8)), pa.array([reason_of(f) for f in FATES])
                    ),
                    pa.array(np.asarray(x_px, dtype=np.float64)),
                    pa.array(np.asarray(y_px, dtype=np.float64)),
                ],
                schema=self._schema,
            )
        )
        if sum(len(batch) for batch in self._waiting) >= ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        """Write what waits as one group of rows."""
        import pyarrow as pa

        if self._waiting:
            table = pa.Table.from_batches(self._waiting).unify_dictionaries()
            self._writer.write_table(table)
        self._waiting = []

    def counts(self) -> tuple[Count, ...]:
        """Return how many particles had each fate that occurred."""
        return tuple(
            Count(bin=BIN[fate], reason=reason_of(fate), number=int(n))
            for fate, n in zip(FATES, self.counted, strict=True)
            if n
        )

    def by_fate(self) -> Mapping[str, int]:
        """Return the number of particles of each fate that occurred."""
        return {fate: int(n) for fate, n in zip(FATES, self.counted, strict=True) if n}
