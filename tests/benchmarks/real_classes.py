"""How class selection does on real class averages and particles, none of which it learnt from.

Run: ``python tests/benchmarks/real_classes.py [--shared FOLDER] [--run FOLDER] [--relion FOLDER]``.
Without ``--run`` the real particles are classified here first, which takes minutes of one core;
``--relion`` is a folder of `relion_refine`'s own classes of the same particles. Exits 1 where a
target is missed: 0.9 of the labels of ``selected_set``, recall of good particles 0.95.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.class_selection.selecting import select_classes
from cryoverdict.engine.class_selection.selection import ClassSelection
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.kinds.select_classes import SELECT_CLASSES
from cryoverdict.engine.seating import seat_judge
from cryoverdict.features.class_average_list import read_class_run, read_classes
from cryoverdict.features.star import read_star

AGREEMENT, RECALL = 0.9, 0.95
GOOD = ("good_refined", "good_selected")
CLASSES, ITERATIONS, MASK_A = 30, 25, 200.0


def main() -> int:
    """Print all figures; return 1 where one of them misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    beside = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
    parser.add_argument("--shared", type=Path, default=beside)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--relion", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    judge = seat_judge(SELECT_CLASSES, model_path=given.model)
    missed = selected_set(given.shared, judge)
    poor_run(given.shared, judge)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.run or classified(given.shared, Path(scratch), given.seed)
        missed += particles("embedded classifier", given.shared, select(folder, judge))
    if given.relion:
        particles("relion_refine", given.shared, select(given.relion, judge))
    return int(missed > 0)


def select(folder: Path, judge: Judge) -> ClassSelection:
    """Select from the newest iteration in a folder."""
    return select_classes(read_class_run(folder), judge)


def selected_set(shared: Path, judge: Judge) -> int:
    """Compare with which of forty pictures their maker selected; return 1 if too few agree."""
    folder = shared / "class_averages" / "selected_set"
    with (folder / "labels.csv").open(newline="") as lines:
        wanted = {row["file"]: row["selected"] == "1" for row in csv.DictReader(lines)}
    found = select_classes(read_classes([folder]), judge)
    names = [Path(d.subject).name for d in found.decisions]
    truth = np.array([wanted[n] for n in names])
    kept = np.array([d.explanation.favourable for d in found.decisions])
    score = np.array([d.explanation.log_odds for d in found.decisions])
    right = float((truth == kept).mean())
    wrong = [n for n, ok in zip(names, truth == kept, strict=True) if not ok]
    print(
        f"selected_set: {right:.3f} of {len(names)} labels agree (AUC {area(score, truth):.3f}; "
        f"differ: {', '.join(wrong) or 'none'})"
    )
    return int(right < AGREEMENT)


def poor_run(shared: Path, judge: Judge) -> None:
    """Print how verdicts go with the share of good particles in a run with a wrong CTF."""
    folder = shared / "class_averages" / "relion_poor_run"
    with (folder / "good_particle_fraction.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    share = {int(r["rlnClassNumber"]): float(r["fgood"]) for r in rows}
    size = {int(r["rlnClassNumber"]): int(r["n"]) for r in rows}
    found = select(folder, judge)
    numbers = [a.number for a in found.classes.averages]
    used = [i for i, n in enumerate(numbers) if n in share]
    kept = np.array([found.decisions[i].explanation.favourable for i in used])
    good = np.array([share[numbers[i]] for i in used])
    weight = np.array([size[numbers[i]] for i in used], dtype=float)
    score = np.array([found.decisions[i].explanation.log_odds for i in used])
    from scipy.stats import spearmanr

    rank = float(spearmanr(score, good).statistic)
    parts = [
        f"{np.average(good[side], weights=weight[side]):.2f}" if side.any() else "none"
        for side in (kept, ~kept)
    ]
    weighed = weighted_area(score, good, weight)
    print(
        f"relion_poor_run: {int(kept.sum())} of {len(used)} kept; good particles in kept classes "
        f"{parts[0]}, in rejected {parts[1]}; rank correlation {rank:.2f}, "
        f"particle AUC {weighed:.3f}"
    )


def particles(name: str, shared: Path, found: ClassSelection) -> int:
    """Compare with an expert's verdict on particles; return 1 where too many good ones are lost."""
    with (shared / "particles" / "labels.csv").open(newline="") as lines:
        label = {row["rlnImageName"]: row["label"] for row in csv.DictReader(lines)}
    assert found.classes.assignments is not None
    assert found.particles is not None
    names = found.classes.assignments.names
    if len({n.split("@")[-1] for n in names}) == 1:  # joined into one stack, in the list's order
        listed = read_star(shared / "particles" / "particles.star")["particles"]
        original = listed.column("rlnImageName") or ()
        names = tuple(original[int(n.split("@")[0]) - 1] for n in names)
    labels = np.array([label.get(_plain(n), "") for n in names])
    if not (labels != "").any():
        print(f"{name}: the particles have other names than the labels")
        return 1
    good = np.isin(labels, GOOD)
    kept = found.particles.kept
    score = {
        a.number: d.explanation.log_odds
        for a, d in zip(found.classes.averages, found.decisions, strict=True)
    }
    scores = np.array([score[int(n)] for n in found.classes.assignments.number])
    recall = float(kept[good].mean())
    print(
        f"{name}: {len(found.kept)} of {len(found.decisions)} classes kept; recall of good "
        f"{recall:.3f} ({int(good.sum())})"
    )
    for other in ("rejected_by_2D", "not_picked_by_template"):
        mine = labels == other
        both = good | mine
        curve = specificity_at(scores[both], good[both], RECALL)
        print(
            f"  {other}: specificity {1 - float(kept[mine].mean()):.3f} ({int(mine.sum())}), AUC "
            f"{area(scores[both], good[both]):.3f}, specificity at recall {RECALL}: {curve:.3f}"
        )
    return int(recall < RECALL)


def _plain(name: str) -> str:
    """Return an image's name without folders, its number with six digits."""
    number, _, stack = name.partition("@")
    return f"{int(number):06d}@{Path(stack).name}"


def area(score: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve."""
    from cryoverdict.engine.training.quality import area_under_roc

    return area_under_roc(score, truth)


def weighted_area(
    score: NDArray[np.float64], share: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    """Return the ROC area of particles whose class gives the score and the share of good ones."""
    good, bad = share * weight, (1.0 - share) * weight
    above = (score[:, None] > score[None, :]) + 0.5 * (score[:, None] == score[None, :])
    return float((good[:, None] * bad[None, :] * above).sum() / (good.sum() * bad.sum()))


def specificity_at(score: NDArray[np.float64], truth: NDArray[np.bool_], recall: float) -> float:
    """Return the share of bad ones below the cut that keeps a share of the good ones."""
    cut = np.quantile(score[truth], 1.0 - recall, method="lower")
    return float((score[~truth] < cut).mean())


def classified(shared: Path, folder: Path, seed: int) -> Path:
    """Classify the real particles with the embedded classifier and return where the run lies."""
    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.parameters import ClassificationParameters
    from cryoverdict.engine.classification.particle_stack import open_stack
    from cryoverdict.engine.classification.relion_output import write_relion_output

    stack = open_stack(shared / "particles" / "particles.star")
    parameters = ClassificationParameters(
        classes=CLASSES, mask_diameter_a=MASK_A, iterations=ITERATIONS
    )
    found = classify(stack, parameters, seed=seed, device="cpu")
    write_relion_output(found, stack, parameters, folder / "run", seed=seed)
    return folder / "run"


if __name__ == "__main__":
    sys.exit(main())
