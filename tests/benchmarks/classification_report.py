"""What the benchmark of 2D classification prints, and its page with both programs' averages."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.classification_programs import Run

FASTER = 5.0
TOLERANCE = 0.01
HIGHER_IS_BETTER = (
    "purity",
    "nmi",
    "ami",
    "homogeneity",
    "kept",
    "kept_at",
    "auc_true",
    "agreement",
    "auc_rejected",
    "auc_all",
)


@dataclass(slots=True)
class Report:
    """What is printed, and kept for the page."""

    page: Path | None
    missed: int = 0
    parts: tuple[str, ...] = ()

    def add(
        self, title: str, runs: list[Run], relion: list[Run], figures: list[dict[str, float]]
    ) -> None:
        """Print one set's figures and compare the median of the seeds with RELION's."""
        print(f"\n{title}", flush=True)
        lines = []
        for run, values in zip(runs + relion, figures, strict=True):
            words = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
            cost = run.cost
            taken = f"{cost.wall_s:7.1f} s wall {cost.cpu_s:7.1f} s CPU {cost.peak_mib:6.0f} MiB"
            lines.append(f"{run.program:14s} {taken}  {words}")
            print(lines[-1], flush=True)
        lines += self._compared(runs, relion, figures)
        sheets = "".join(
            f"<figure><img src='{sheet(r)}' alt=''><figcaption>{r.program}</figcaption></figure>"
            for r in runs[:1] + relion
        )
        text = html.escape("\n".join(lines))
        self.parts += (f"<h2>{html.escape(title)}</h2><pre>{text}</pre>{sheets}",)

    def _compared(
        self, runs: list[Run], relion: list[Run], figures: list[dict[str, float]]
    ) -> list[str]:
        """Return the lines on the targets; count those missed."""
        ours = figures[: len(runs)]
        found = []
        if "fewest_classes" in ours[0]:
            fewest = min(f["fewest_classes"] for f in ours)
            found.append((fewest >= 2, f"every species in at least {fewest:.0f} classes"))
        if relion:
            theirs = figures[-1]
            for kind in ("wall", "cpu"):
                ours_s = float(np.median([getattr(r.cost, f"{kind}_s") for r in runs]))
                faster = getattr(relion[0].cost, f"{kind}_s") / ours_s
                found.append((faster >= FASTER, f"{faster:.1f} times less {kind} time"))
            for name in (*HIGHER_IS_BETTER, "junk_left"):
                if name not in theirs:
                    continue
                sign = -1.0 if name == "junk_left" else 1.0
                median = float(np.median([f[name] for f in ours]))
                held = sign * (median - theirs[name]) >= -TOLERANCE
                found.append((held, f"{name} {median:.3f}, RELION {theirs[name]:.3f}"))
        lines = [f"  {'met' if held else 'MISSED'}: {words}" for held, words in found]
        self.missed += sum(not held for held, _ in found)
        print("\n".join(lines), flush=True)
        return lines

    def finish(self) -> int:
        """Write the page; return the exit code."""
        if self.page is not None:
            self.page.mkdir(parents=True, exist_ok=True)
            style = "body{font:14px sans-serif;margin:2em}img{image-rendering:pixelated}"
            body = "".join(self.parts)
            (self.page / "classification.html").write_text(
                f"<!doctype html><meta charset=utf-8><title>2D classification</title>"
                f"<style>{style}</style><h1>2D classification</h1>{body}"
            )
        return int(self.missed > 0)


def sheet(run: Run, columns: int = 10) -> str:
    """Return the averages, largest class first, as a PNG in a data address."""
    from PIL import Image

    order = np.argsort(-run.shares, kind="stable")
    box = run.averages.shape[-1] + 2
    canvas = np.zeros((-(-len(order) // columns) * box, columns * box), dtype=np.uint8)
    for i, k in enumerate(order):
        low, high = np.percentile(run.averages[k], [0.5, 99.5])
        grey = np.clip((run.averages[k] - low) / max(high - low, 1e-12), 0, 1) * 255
        top, left = i // columns * box, i % columns * box
        canvas[top : top + box - 2, left : left + box - 2] = grey.astype(np.uint8)
    image = Image.fromarray(canvas)
    stream = io.BytesIO()
    image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
