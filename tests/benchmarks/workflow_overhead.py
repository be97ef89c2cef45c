"""What the workflow costs beside its steps called by hand, on the demonstration set.

A command, not a test: ``python -m tests.benchmarks.workflow_overhead [--turns N] [--threads N]
[--keep DIR]``, from the repository's root. It simulates the demonstration set, then, turn by turn,
runs ``cryoverdict run`` on it in a new folder and the same commands by hand. These are the ones in
the run's ``provenance.json``, in their order, with the same words; those of one step that were
dealt over batches go side by side, as many as there are threads, as in the run. Both must end with
the same stack. Printed are wall and processor seconds of each, the best of all turns, and their
ratio; on a machine that does other work look at processor seconds. The aim is a ratio of 1.10.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from cryoverdict.cwl.commands.demo import BATCH_SIZE, SETTINGS
from cryoverdict.engine.simulation.data_set import demonstration
from cryoverdict.engine.simulation.data_set_files import write_data_set

PROGRAM = str(Path(sys.executable).with_name("cryoverdict"))
AIM = 1.10
# Where a step saw an input while it ran: a folder of cwltool's that is gone, then the input's name.
STAGED = re.compile(r"^.*/stg[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/(?P<name>.*)$")
# As the tools say it (`hints` in cwl/tools).
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
}
# Also where some inputs could not be read, or none of a batch: see `successCodes` in cwl/tools.
DONE = (0, 3, 4)
Cost = tuple[float, float]


class Made:
    """Where the files and folders lie that earlier commands made, by name, the newest last."""

    def __init__(self, *folders: Path) -> None:
        """Begin with the inputs in some folders."""
        self._whole: dict[str, list[Path]] = defaultdict(list)
        self._parts: dict[str, list[Path]] = defaultdict(list)
        for folder in folders:
            self.add(folder)

    def add(self, folder: Path) -> None:
        """Take up a folder and what lies directly in it."""
        self._whole[folder.name].append(folder)
        for path in sorted(folder.iterdir()):
            self._parts[path.name].append(path)

    def placed(self, words: Sequence[str]) -> list[str]:
        """Return a command that finds its inputs where they lie.

        Of one that it takes several times as a whole, as many of the newest, in their order.
        """
        staged = [match["name"] for word in words if (match := STAGED.match(word))]
        turns = {name: iter(self._named(name)[-staged.count(name) :]) for name in staged}
        return [
            str(next(turns[match["name"]])) if (match := STAGED.match(word)) else word
            for word in words
        ]

    def _named(self, name: str) -> list[Path]:
        """Return what was made under a name, or under its first part and holds the rest."""
        head, _, rest = name.partition("/")
        return [path / rest for path in self._whole.get(head) or self._parts[head]]


def costs(begun: tuple[float, float] | None = None) -> Cost:
    """Return the clock and the processor seconds of ended children, or what went since."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    now = (time.perf_counter(), used.ru_utime + used.ru_stime)
    return now if begun is None else (now[0] - begun[0], now[1] - begun[1])


def by_workflow(root: Path, output: Path, threads: int) -> Cost:
    """Run the workflow and return what it cost."""
    base = demonstration().base
    words = [PROGRAM, "run", "micrographs", "--output", str(output), "--threads", str(threads)]
    words += ["--batch-size", str(BATCH_SIZE), *(w for one in SETTINGS for w in ("--set", one))]
    words += ["--voltage-kv", f"{base.voltage_kv:g}", "--cs-mm", f"{base.cs_mm:g}"]
    words += ["--amplitude-contrast", f"{base.amplitude_contrast:g}", "--quiet"]
    begun = costs()
    subprocess.run(words, cwd=root, env=ENVIRONMENT, check=True)
    return costs(begun)


def by_hand(run: Path, folder: Path, threads: int) -> Cost:
    """Call the commands of a run, each in a folder of its own, and return what they cost."""
    steps = json.loads((run / "provenance.json").read_text())["steps"]
    made = Made(run / "workflow" / "batches")

    def call(job: tuple[str, list[str]]) -> Path:
        """Call one command and return the folder that it wrote."""
        name, words = job
        here = folder / name
        here.mkdir(parents=True)
        program = [PROGRAM, *words[1:]] if words[0] == "cryoverdict" else words
        done = subprocess.run(
            program, cwd=here, env=ENVIRONMENT, check=False, capture_output=True, text=True
        )
        if done.returncode not in DONE:
            sys.exit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return here / words[words.index("--output") + 1]

    begun = costs()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches(steps):
            jobs = [(one["job"], made.placed(one["command"])) for one in batch]
            for output in pool.map(call, jobs):
                made.add(output)
    return costs(begun)


def batches(steps: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the jobs of a run that are dealt over batches together, all others alone."""

    def kind(one: dict[str, Any]) -> list[str]:
        """Return what jobs of one step have in common: everything but their inputs."""
        return [word for word in one["command"] if not STAGED.match(word)]

    for _, jobs in groupby(steps, kind):
        yield list(jobs)


def main() -> None:
    """Run both, turn by turn, and print the ratios."""
    parser = argparse.ArgumentParser(description="Compare the workflow with its steps by hand.")
    parser.add_argument("--turns", type=int, default=3, help="times each is run (3)")
    parser.add_argument("--threads", type=int, default=2, help="cores (2)")
    parser.add_argument("--keep", type=Path, help="folder for all files, which are kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = given.keep or Path(scratch)
        write_data_set(demonstration(), root / "micrographs", seed=0)
        whole, steps = [], []
        for turn in range(given.turns):
            run, hand = root / f"run_{turn}", root / f"hand_{turn}"
            whole.append(by_workflow(root, run, given.threads))
            steps.append(by_hand(run, hand, given.threads))
            stacks = [run / "good_particles.star", *hand.rglob("stack/good_particles.star")]
            if len({path.read_bytes() for path in stacks}) != 1 or len(stacks) != 2:
                sys.exit(f"{stacks}: the two ways do not end with the same stack")
            print(f"turn {turn}: run {whole[-1]}, by hand {steps[-1]}", file=sys.stderr)
    print(f"{'':20s} {'run':>8s} {'by hand':>8s} {'ratio':>6s}   (aim: at most {AIM:.2f})")
    for number, name in enumerate(("wall seconds", "processor seconds")):
        a, b = (min(one[number] for one in both) for both in (whole, steps))
        print(f"{name:20s} {a:8.1f} {b:8.1f} {a / b:6.2f}")


if __name__ == "__main__":
    main()
