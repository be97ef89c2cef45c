"""The embedded classifier as a step: particles in, RELION's files out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.classification.parameters import ClassificationParameters
from cryoverdict.engine.classification.particle_lists import ParticleLists
from cryoverdict.engine.classification_run.class_run import write_history
from cryoverdict.engine.engine_error import EngineError

Progress = Callable[[Mapping[str, Any]], None]
Watch = Callable[[Mapping[str, Any], NDArray[np.float32]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How, not what: none of these but ``seed`` changes what is looked for.

    ``device`` is ``cpu``, ``cuda`` or ``auto``. ``progress`` is called after each iteration with
    its line of the history, ``watch`` every few with the averages of the moment too.
    """

    seed: int = 0
    threads: int = 1
    device: str = "auto"
    progress: Progress = lambda _: None
    watch: Watch | None = None


def classify_builtin(
    lists: ParticleLists, parameters: ClassificationParameters, folder: Path, options: RunOptions
) -> None:
    """Classify and write ``run_itNNN_*`` and the history into ``folder``.

    Raises `EngineError` where PyTorch is not installed or has no such device.
    """
    torch = require_torch()
    from cryoverdict.engine.classification.classification import IterationReport
    from cryoverdict.engine.classification.classifier import classify
    from cryoverdict.engine.classification.relion_output import write_relion_output

    device = _device(torch, options.device)
    history: list[dict[str, Any]] = []

    def note(report: IterationReport) -> None:
        """Keep a line of the history and pass it on."""
        history.append(asdict(report))
        options.progress(history[-1])

    def look(report: IterationReport, averages: NDArray[np.float32]) -> None:
        """Pass the averages of the moment on."""
        if options.watch is not None:
            options.watch(asdict(report), averages)

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # lanes are the parallelism
    try:
        found = classify(
            lists.stack,
            parameters,
            seed=options.seed,
            device=device,
            threads=options.threads,
            progress=note,
            watch=None if options.watch is None else look,
        )
    finally:
        torch.set_num_threads(before)
    write_relion_output(found, lists.stack, parameters, folder, seed=options.seed)
    write_history(folder, history)


def require_torch() -> Any:
    """Return PyTorch, or say how to install it."""
    # Threads that wait by spinning take the cores from those they wait for, where others work too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        import torch
    except ImportError as error:
        msg = (
            "2D classification needs PyTorch, which is not installed: "
            "pip install 'cryoverdict[classify]' (or classify with --classifier relion)"
        )
        raise EngineError(msg) from error
    return torch


def _device(torch: Any, wanted: str) -> str:
    """Return the name of the device to use; ``auto`` is a GPU where there is one."""
    there = bool(torch.cuda.is_available())
    if wanted == "auto":
        return "cuda" if there else "cpu"
    if wanted == "cuda" and not there:
        msg = "PyTorch sees no CUDA device; accepted are --device cpu and --device auto"
        raise EngineError(msg)
    return wanted
