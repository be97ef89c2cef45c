"""The options that several commands share, under the same name and with the same help."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics

Command = TypeVar("Command", bound=Callable[..., Any])

micrographs_argument = click.argument("micrographs", nargs=-1, required=True, metavar="MICS...")

output_option = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder that receives all outputs; made if absent.",
)

rules_option = click.option(
    "--rules",
    "rule_layers",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Folder of your own rules and overrides, laid over the shipped ones; repeatable.",
)

model_option = click.option(
    "--model",
    "model_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A model written by `train`, instead of the shipped one.",
)

threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="Parallel worker processes.  [default: number of cores]",
)

seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)

quiet_option = click.option("--quiet", is_flag=True, help="Print no progress and no summary.")

json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")


def optics_options(command: Command) -> Command:
    """Add the four optical options; the command receives one ``optics``."""

    @click.option("--pixel-size-a", type=float, help="Pixel size in Å, where the files lack it.")
    @click.option("--voltage-kv", type=float, help="Acceleration voltage in kV.")
    @click.option("--cs-mm", type=float, help="Spherical aberration in mm.")
    @click.option("--amplitude-contrast", type=float, help="Amplitude contrast, 0 to 1.")
    @wraps(command)
    def with_optics(
        pixel_size_a: float | None,
        voltage_kv: float | None,
        cs_mm: float | None,
        amplitude_contrast: float | None,
        **others: Any,
    ) -> Any:
        from cryoverdict.features.optics import Optics

        given: Optics = Optics(
            pixel_size_a=pixel_size_a,
            voltage_kv=voltage_kv,
            cs_mm=cs_mm,
            amplitude_contrast=amplitude_contrast,
        )
        return command(optics=given, **others)

    return with_optics  # type: ignore[return-value]


CLASSIFIER_OPTIONS = (
    click.option(
        "--parameters",
        "parameters_path",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        required=True,
        metavar="FILE",
        help="The classification.json of `decide-classification`.",
    ),
    click.option(
        "--classifier",
        type=click.Choice(("builtin", "relion")),
        default="builtin",
        show_default=True,
        help="The embedded classifier, or an installed RELION's relion_refine.",
    ),
    click.option(
        "--device",
        type=click.Choice(("cpu", "cuda", "auto")),
        default="auto",
        show_default=True,
        help="Where the embedded classifier computes; auto takes a GPU where there is one.",
    ),
    click.option(
        "--memory-mib",
        type=click.IntRange(min=64),
        default=1536,
        show_default=True,
        help="Memory for prepared particles; larger sets are read from disk in every iteration.",
    ),
)


def classifier_options(command: Command) -> Command:
    """Add what 2D classification is told: parameters, program, device, memory."""
    for option in reversed(CLASSIFIER_OPTIONS):
        command = option(command)
    return command


def thread_count(threads: int | None) -> int:
    """Return the number of workers: as asked, else the cores this process may use."""
    import os

    return threads or len(os.sched_getaffinity(0))
