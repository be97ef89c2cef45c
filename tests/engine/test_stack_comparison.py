"""A stack beside the truth: what is found, what is junk, what stands twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoverdict.engine.simulation.stack_comparison import compare_stack

TRUTH = """
data_particles
loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
a.mrc 100 100
a.mrc 200 100
a.mrc 300 300
bad.mrc 50 50
"""
STACK = """
data_particles
loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
mics/a.mrc 103 96
mics/a.mrc 104 104
mics/a.mrc 200 109
mics/a.mrc 300 311
mics/bad.mrc 51 50
mics/other.mrc 51 50
"""


def test_each_true_particle_counts_once(tmp_path: Path) -> None:
    """One found twice, one too far off, one in a bad micrograph, one in none."""
    (tmp_path / "truth_particles.star").write_text(TRUTH)
    (tmp_path / "truth_micrographs.csv").write_text("name,verdict\na.mrc,good\nbad.mrc,bad\n")
    (tmp_path / "stack.star").write_text(STACK)
    found = compare_stack(tmp_path, tmp_path / "stack.star", radius_px=10)
    assert (found.true, found.found, found.stack, found.junk) == (3, 2, 6, 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.junk_share == pytest.approx(1 / 2)
    wider = compare_stack(tmp_path, tmp_path / "stack.star", radius_px=12)
    assert (wider.found, wider.junk) == (3, 2)
