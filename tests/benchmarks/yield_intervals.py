"""How often the 95 % intervals of the yield model cover micrographs that it did not see.

A command, not a test: ``python -m tests.benchmarks.yield_intervals RUN … [--next RUN]``, on folders
that `cryoverdict run` left, simulated or real.

For each run: the model is fitted on nine tenths of its micrographs and forecasts the number of good
particles among the picks of the rest, in turn; good are those that ended in the stack. With
``--next``, the model of the first run also forecasts every micrograph of another one, such as the
rest of a session. Printed: micrographs, the part of them inside the interval, the intervals' mean
width as a share of the picks, and the least, middle and largest share of good ones that was seen.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.learning.micrograph_yields import held_out
from cryoverdict.engine.learning.yield_model import YieldModel
from cryoverdict.features.star import read_star
from cryoverdict.features.table import FeatureTable

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunYields:
    """Measurements of a run's micrographs with picks ``(n, features)``, and their yields."""

    features: tuple[str, ...]
    values: Array
    good: Array
    picked: Array


def main() -> None:
    """Print a row for each run, and the sum of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--next", type=Path, help="a run that the first run's model forecasts")
    given = parser.parse_args()
    inside: list[bool] = []
    for folder in given.runs:
        run = read_yields(folder)
        _, low, high = held_out(run.values, run.features, run.good, run.picked)
        inside += row(str(folder), run, low, high)
    print(f"{'all':50} {len(inside):4} micrographs, {np.mean(inside):6.1%} inside")
    if given.next is not None:
        first, other = read_yields(given.runs[0]), read_yields(given.next)
        model = YieldModel.fit(first.values, first.features, first.good, first.picked)
        low, high = model.intervals(aligned(other, first.features), other.picked)
        row(f"{given.runs[0]} on {given.next}", other, low, high)


def row(name: str, run: RunYields, low: Array, high: Array) -> list[bool]:
    """Print the row of one forecast, and return which micrographs lie inside their interval."""
    inside = (run.good >= low) & (run.good <= high)
    share = run.good / run.picked
    width = float(((high - low) / run.picked).mean())
    print(
        f"{name:50} {len(inside):4} micrographs, {inside.mean():6.1%} inside, width {width:.2f}, "
        f"share {share.min():.2f} {np.median(share):.2f} {share.max():.2f}"
    )
    return [bool(one) for one in inside]


def read_yields(folder: Path) -> RunYields:
    """Return the measurements and yields of the micrographs of a finished run that have picks."""
    from pyarrow import compute, parquet

    table = FeatureTable.read(folder / "judged" / "features.parquet")
    stack = read_star(folder / "good_particles.star")["particles"]
    good = Counter(Path(name).name for name in stack.column("rlnMicrographName") or ())
    picks = parquet.read_table(folder / "picked" / "picks.parquet")
    kept = picks.filter(compute.equal(picks["outcome"], "kept"))
    picked = Counter(Path(name).name for name in kept["subject"].to_pylist())
    chosen = table.select(s for s in table.subjects if picked[Path(s).name])
    counts = [(good[Path(s).name], picked[Path(s).name]) for s in chosen.subjects]
    found, of = np.array(counts, np.float64).reshape(-1, 2).T
    return RunYields(
        features=chosen.features, values=chosen.values, good=np.minimum(found, of), picked=of
    )


def aligned(run: RunYields, features: Sequence[str]) -> Array:
    """Return a run's measurements in the order of another's; NaN where it lacks one."""
    place = {name: i for i, name in enumerate(run.features)}
    nothing = np.full(len(run.good), np.nan)
    return np.column_stack([run.values[:, place[f]] if f in place else nothing for f in features])


if __name__ == "__main__":
    main()
