"""Judge the real labelled micrographs and print how often the shipped model agrees.

``python tests/benchmarks/real_micrographs.py [FOLDER]``: FOLDER is the folder of real data kept
beside the repository. None of these images is used in training. Data: *real*.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from cryoverdict.cwl.cli import run

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
OPTICS = {
    "apoferritin": ["1.5", "300", "2.7", "0.1"],
    "beta_galactosidase": ["1.77", "300", "2.0", "0.1"],
}
NAMES = ("--pixel-size-a", "--voltage-kv", "--cs-mm", "--amplitude-contrast")


def judge(folder: Path, output: Path, optics: list[str]) -> list[dict[str, Any]]:
    """Return the decision records of one folder."""
    given = [word for pair in zip(NAMES, optics, strict=False) for word in pair]
    code = run(["decide-micrographs", str(folder), "--output", str(output), "--quiet", *given])
    if code:
        sys.exit(code)
    return [json.loads(x) for x in (output / "decisions.jsonl").read_text().splitlines()]


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion (Wilson 1927)."""
    z, p = 1.96, right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return middle - half, middle + half


def report(name: str, records: list[dict[str, Any]]) -> None:
    """Print how many of a data set of good micrographs are kept, and with which grades."""
    kept = [r for r in records if r["outcome"] == "keep"]
    told = ", ".join(f"{r['favourable_probability']:.2f}" for r in records)
    grades = ", ".join(str(r["grade"]) for r in kept)
    asked = sum(r["review"] for r in records)
    print(
        f"real, {name}: kept {len(kept)} of {len(records)} good ones, P(keep) {told}; {grades}; "
        f"review asked for {asked}"
    )


def main() -> None:
    """Print one line a micrograph and the sums."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else BESIDE
    micrographs = data / "micrographs"
    with (micrographs / "quality" / "labels.csv").open(newline="") as lines:
        labels = {row["file"]: row for row in csv.DictReader(lines)}
    with tempfile.TemporaryDirectory() as scratch:
        verdicts = right = named = bad = 0
        proteasome = []
        for record in judge(micrographs / "quality", Path(scratch) / "quality", []):
            label = labels[Path(record["subject"]).name]
            agrees = (record["outcome"] == "keep") == (label["verdict"] == "good")
            verdicts += 1
            right += agrees
            if "20S" in label["note"]:
                proteasome.append(record)
            defects = [d["name"] for d in record["defects"]]
            if label["verdict"] == "bad":
                bad += 1
                named += label["label"] in defects
            print(
                f"{'agrees ' if agrees else 'DIFFERS'} {label['label']:<20} {record['outcome']:<7}"
                f" P(keep) {record['favourable_probability']:.2f}"
                f" {record['grade'] or ', '.join(defects)}"
            )
        low, high = wilson(right, verdicts)
        print(f"real, quality: good/bad right {right} of {verdicts} ({low:.2f} to {high:.2f})")
        alone = 0
        for i, (file, label) in enumerate(labels.items()):
            (record,) = judge(micrographs / "quality" / file, Path(scratch) / f"alone_{i}", [])
            alone += (record["outcome"] == "keep") == (label["verdict"] == "good")
        low, high = wilson(named, bad)
        print(f"real, quality: labelled defect named {named} of {bad} ({low:.2f} to {high:.2f})")
        low, high = wilson(alone, len(labels))
        n = len(labels)
        print(f"real, quality, one by one: right {alone} of {n} ({low:.2f} to {high:.2f})")
        report("20S proteasome", proteasome)
        for name, optics in OPTICS.items():
            report(name, judge(micrographs / name, Path(scratch) / name, optics))


if __name__ == "__main__":
    main()
