"""2D classification by an installed RELION: decided parameters in, the same files out."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.classification import WATCH_EVERY
from cryoverdict.engine.classification.mrcs import write_mrcs_in_parts
from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_lists import ParticleLists
from cryoverdict.engine.classification.particle_stack import ParticleStack
from cryoverdict.engine.classification_run.builtin import RunOptions
from cryoverdict.engine.classification_run.class_run import read_averages, write_history
from cryoverdict.engine.program_error import ProgramError
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import StarTable, read_star, write_star

PROGRAM = "relion_refine"
# RELION wants a folder in the name of its outputs, even where that is the present one.
ROOT = "run"
# From version 4 on mini-batches (VDAM) replace EM where there are many particles.
VDAM_VERSION = 4
VDAM_PARTICLES = 10_000
VDAM_BATCHES = 200
LAST_WORDS = 2000
COPIED_AT_ONCE = 1024


def classify_with_relion(
    lists: ParticleLists, parameters: ClassificationParameters, folder: Path, options: RunOptions
) -> None:
    """Classify by ``relion_refine`` and leave its last iteration and the history in ``folder``.

    The program gets the images as one float32 stack in a folder of its own (3.1 cannot read half
    precision); names in the files it leaves are then those of the lists. Raises `ProgramError`
    where the program is absent, fails or leaves nothing; its own last words are quoted.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        msg = f"{PROGRAM} is not on the PATH; install RELION or use --classifier builtin"
        raise ProgramError(msg)
    work = folder / "relion"
    work.mkdir(parents=True)
    _write_input(lists.stack, work)
    vdam = relion_version(program) >= VDAM_VERSION and len(lists.stack) >= VDAM_PARTICLES
    command = [program, *relion_arguments(parameters, lists.stack, options, vdam=vdam)]
    history: list[dict[str, Any]] = []
    log = work / "log.txt"
    with log.open("wb") as words:
        process = subprocess.Popen(command, cwd=work, stdout=words, stderr=words)
        try:
            while process.poll() is None:
                _pass_on(work, history, options)
                try:
                    process.wait(timeout=1.0)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    _pass_on(work, history, options)
    if process.returncode != 0 or not history:
        said = last_words(log.read_bytes().decode(errors="replace"))
        msg = f"{PROGRAM} failed (exit code {process.returncode}): {said}"
        raise ProgramError(msg)
    _take_over(lists.stack, work, folder, f"run_it{history[-1]['number']:03d}")
    write_history(folder, history)
    shutil.rmtree(work)


def relion_arguments(
    parameters: ClassificationParameters,
    stack: ParticleStack,
    options: RunOptions,
    *,
    vdam: bool = False,
) -> list[str]:
    """Return the options of ``relion_refine`` that mean what the parameters mean.

    Its T (``tau2_fudge``) is twice our prior strength, its offsets are pixels. The two steps and
    the oversampling are those of RELION's own 2D classification jobs.
    """
    arguments = ["--i", "particles.star", "--o", f"./{ROOT}", "--flatten_solvent", "--zero_mask"]
    arguments += ["--K", str(parameters.classes), "--random_seed", str(options.seed)]
    arguments += ["--particle_diameter", f"{parameters.mask_diameter_a:g}"]
    arguments += ["--tau2_fudge", f"{2.0 * parameters.prior_strength:g}"]
    arguments += ["--strict_highres_exp", f"{parameters.resolution_limit_a:g}"]
    arguments += ["--offset_range", f"{parameters.offset_range_px:g}", "--offset_step", "2"]
    arguments += ["--psi_step", "12", "--oversampling", "1", "--norm", "--scale"]
    arguments += ["--j", str(options.threads), "--pool", "30", "--dont_combine_weights_via_disc"]
    if parameters.correct_ctf:
        arguments.append("--ctf")
        if parameters.until_first_peak:
            arguments.append("--ctf_intact_first_peak")
    if vdam:
        arguments += ["--grad", "--class_inactivity_threshold", "0.1", "--grad_write_iter", "10"]
        arguments += ["--iter", str(VDAM_BATCHES)]
    else:
        arguments += ["--iter", str(parameters.iterations)]
    if options.device == "cuda":
        arguments += ["--gpu", ""]
    images = stack.box**2 * 4 * len(stack)
    if images <= parameters.resident_mib * 2**20:
        arguments.append("--preread_images")
    return arguments


def relion_version(program: str) -> int:
    """Return the major version that the program names, 3 where it names none."""
    done = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    found = re.search(r"RELION version:?\s*(\d+)\.", done.stdout + done.stderr)
    return int(found.group(1)) if found else 3


def last_words(log: str) -> str:
    r"""Return what a failed RELION says of its failure, without the addresses of its backtrace.

    >>> last_words("Reading\nERROR: \noutput directory does not exist!\n=== Backtrace ===")
    'output directory does not exist!'
    """
    lines = [line.strip() for line in re.split(r"[\r\n]+", log) if line.strip()]
    after = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if before.startswith("ERROR") and not line.startswith(("=", "ERROR"))
    ]
    found = list(dict.fromkeys(after)) or [line for line in lines if "[0x" not in line][-3:]
    return " | ".join(found)[-LAST_WORDS:] or "it said nothing"


def _write_input(stack: ParticleStack, work: Path) -> None:
    """Write the particles as one float32 stack with a list that names it, in the same order."""
    count = len(stack)
    parts = (
        stack.read(np.arange(start, min(start + COPIED_AT_ONCE, count)))
        for start in range(0, count, COPIED_AT_ONCE)
    )
    shape = (count, stack.box, stack.box)
    write_mrcs_in_parts(work / "particles.mrcs", parts, shape, stack.pixel_size_a)
    table = stack.particles
    place = table.columns.index("rlnImageName")
    rows = tuple(
        (*row[:place], f"{i:06d}@particles.mrcs", *row[place + 1 :])
        for i, row in enumerate(table.rows, start=1)
    )
    blocks = {"particles": StarTable(columns=table.columns, rows=rows)}
    if stack.optics_table is not None:
        blocks = {"optics": stack.optics_table, **blocks}
    write_star(work / "particles.star", blocks)


def _pass_on(work: Path, history: list[dict[str, Any]], options: RunOptions) -> None:
    """Add the iterations that are whole since last time, and tell the progress."""
    done = {line["number"] for line in history}
    for path in sorted(work.glob("run_it*_optimiser.star")):
        number = int(path.name[len("run_it") : -len("_optimiser.star")])
        if number == 0 or number in done:
            continue
        line = _line(work, number)
        if line is not None:
            history.append(line)
            options.progress(line)
            if options.watch is not None and number % WATCH_EVERY == 0 and number < line["total"]:
                options.watch(line, _averages(work, number))


def _line(work: Path, number: int) -> dict[str, Any] | None:
    """Return what one iteration's files say; ``None`` while they are not whole."""
    stem = work / f"run_it{number:03d}"
    try:
        model = read_star(Path(f"{stem}_model.star"))
        optimiser = read_star(Path(f"{stem}_optimiser.star"))["optimiser_general"]
        shares = _column(model["model_classes"], "rlnClassDistribution")
        fine = _column(model["model_classes"], "rlnEstimatedResolution")
        general = {k: v[0] for k, v in _columns(model["model_general"]).items()}
        settings = {k: v[0] for k, v in _columns(optimiser).items()}
        changed = float(settings.get("rlnChangesOptimalClasses", "nan"))
        return {
            "start": 1,
            "number": number,
            "total": int(settings["rlnNumberOfIterations"]),
            "alive": int((shares > 0.1 * shares.mean()).sum()),
            "compared_a": float(general["rlnCurrentResolution"]),
            "resolution_a": float(np.median(fine[shares > 0.1 * shares.mean()])),
            "top": float(general["rlnAveragePmax"]),
            "log_evidence": float(general["rlnLogLikelihood"]),
            "changed": changed if number > 1 and np.isfinite(changed) else None,
            "particles": None,
        }
    except (InputError, KeyError, IndexError, OSError, ValueError):
        return None


def _averages(work: Path, number: int) -> NDArray[np.float32]:
    """Return the averages of one iteration, the largest class first."""
    stem = work / f"{ROOT}_it{number:03d}"
    classes = read_star(Path(f"{stem}_model.star"))["model_classes"]
    order = np.argsort(-_column(classes, "rlnClassDistribution"), kind="stable")
    return read_averages(Path(f"{stem}_classes.mrcs"))[order]


def _take_over(stack: ParticleStack, work: Path, folder: Path, stem: str) -> None:
    """Move the last iteration's files; particles get their names and order back."""
    blocks = read_star(work / f"{stem}_data.star")
    table = blocks["particles"]
    place = table.columns.index("rlnImageName")
    names = stack.particles.column("rlnImageName") or ()
    rows = sorted(
        (int(row[place].partition("@")[0]) - 1, (*row[:place], *row[place + 1 :]))
        for row in table.rows
    )
    others = (*table.columns[:place], *table.columns[place + 1 :])
    named = StarTable(
        columns=("rlnImageName", *others), rows=tuple((names[i], *row) for i, row in rows)
    )
    write_star(folder / f"{stem}_data.star", {**blocks, "particles": named})
    for suffix in ("classes.mrcs", "model.star", "optimiser.star", "sampling.star"):
        source = work / f"{stem}_{suffix}"
        if suffix.endswith(".star") and source.is_file():
            text = source.read_text(encoding="utf-8", errors="surrogateescape")
            plain = text.replace(f"./{ROOT}_", f"{ROOT}_")
            target = folder / source.name
            target.write_text(plain, encoding="utf-8", errors="surrogateescape")
        elif source.is_file():
            shutil.move(source, folder / source.name)


def _columns(table: StarTable) -> dict[str, tuple[str, ...]]:
    """Return a table by column."""
    return {label: table.column(label) or () for label in table.columns}


def _column(table: StarTable, label: str) -> NDArray[np.float64]:
    """Return a column of numbers."""
    return np.array([float(v) for v in table.column(label) or ()])
