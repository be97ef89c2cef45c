"""Where the true particles of a simulated session are lost on the way to the stack.

A command, not a test: ``python -m tests.benchmarks.stage_losses RUN --truth MICROGRAPHS
--diameter-px N --side PX``, on any finished ``cryoverdict run`` of a simulated session.
``end_to_end.py`` prints the same table for each of its sessions.

A row a stage: how many of the true particles of good micrographs are still there, their share, the
same of those that lie whole inside the micrograph (a box that the border cuts is no good particle,
and no program's picks there are), how many the stage itself lost, and the share of junk in it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cryoverdict.engine.simulation.stack_comparison import (
    Centres,
    SessionTruth,
    centres_of,
    compare_centres,
    read_centres,
    read_truth,
)
from cryoverdict.features.star import read_star

MATCH = 0.35
JUDGED = "decide-micrographs"
JUDGES = (JUDGED, "pick")
PLACE = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
OUTLIER = "outlier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Diameter of the particles, and side of the micrographs, in pixels."""

    diameter_px: float
    side: int

    def whole(self, truth: SessionTruth) -> SessionTruth:
        """Return the truth without the particles that a border cuts."""
        return truth.whole(self.diameter_px / 2.0, self.side)


def stages(run: Path, truth: SessionTruth) -> Iterator[tuple[str, Centres]]:
    """Yield name and places of each stage of a run, from all true ones to the stack."""
    from pyarrow import parquet

    yield "true particles", dict(truth.centres)
    items = json.loads((run / "ledger.json").read_text(encoding="utf-8"))["micrographs"]["items"]
    left = {Path(i["item"]).name: i["step"] for i in items if i["bin"] != "kept"}
    for name, steps in (("in kept micrographs", (JUDGED,)), ("kept after picking", JUDGES)):
        yield name, {m: xy for m, xy in truth.centres.items() if left.get(m) not in steps}
    kept_picks = [("outcome", "==", "kept")]
    found = parquet.read_table(run / "picked" / "picks.parquet", filters=kept_picks)
    yield "picked", centres_of(*(found[c].to_numpy() for c in ("subject", "x_px", "y_px")))
    (data,) = (run / "classified").glob("run_it*_data.star")
    table = read_star(data)["particles"]
    verdicts = parquet.read_table(run / "classes" / "particle_verdicts.parquet")
    kept = verdicts["bin"].to_numpy() == "kept"
    outlier = np.array([(r or "").startswith(OUTLIER) for r in verdicts["reason"].to_pylist()])
    all_in = np.ones(len(verdicts), dtype=bool)
    for name, there in (
        ("cut out", all_in),
        ("in good classes", kept | outlier),
        ("good particles", kept),
    ):
        names, x, y = (np.array(table.column(label) or ())[there] for label in PLACE)
        yield name, centres_of(names.tolist(), x.astype(float), y.astype(float))
    yield "after further rounds", read_centres(run / "classes_again" / "particles_good.star")
    yield "in the stack", read_centres(run / "good_particles.star")


def losses(run: Path, truth: SessionTruth, scale: Scale) -> str:
    """Return the table of one run as text."""
    whole, near = scale.whole(truth), MATCH * scale.diameter_px
    lines = [f"  {'':22s} {'true':>13s}  {'lost':>6s}  {'whole':>14s}  {'junk':>7s}"]
    before = None
    for name, places in stages(run, truth):
        found, of_whole = (compare_centres(t, places, radius_px=near) for t in (truth, whole))
        lost = 0 if before is None else before - found.found
        before = found.found
        lines.append(
            f"  {name:22s} {found.found:5d} {100.0 * found.recall:5.1f} %  {lost:6d}  "
            f"{of_whole.found:6d} {100.0 * of_whole.recall:5.1f} %  "
            f"{100.0 * found.junk_share:5.1f} %"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table of one run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--truth", type=Path, required=True, help="folder that `simulate` wrote")
    parser.add_argument("--diameter-px", type=float, required=True)
    parser.add_argument("--side", type=int, required=True, help="of a micrograph in pixels")
    given = parser.parse_args()
    scale = Scale(diameter_px=given.diameter_px, side=given.side)
    print(losses(given.run, read_truth(given.truth), scale))


if __name__ == "__main__":
    main()
