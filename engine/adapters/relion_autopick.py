"""Picking by an installed RELION: its LoG filter, or templates where there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryoverdict.engine.adapters.linked_micrographs import LinkedMicrograph, link_micrographs
from cryoverdict.engine.adapters.outside_picker import OutsidePicker, PickingOrder
from cryoverdict.engine.adapters.outside_program import find_program, run_program
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_files.coordinate_star import read_coordinates
from cryoverdict.engine.picking_files.template_file import write_templates
from cryoverdict.features.optics import Optics
from cryoverdict.features.relion_list import GROUP, NAME
from cryoverdict.features.star import StarTable, write_star

PROGRAM = "relion_autopick"
# What RELION's own LoG and template jobs take where this engine decides nothing.
TEMPLATE_THRESHOLD = 0.05
PSI_STEP_DEG = 5
UNKNOWN_VOLTAGE_KV, UNKNOWN_CS_MM, UNKNOWN_AMPLITUDE = 300.0, 2.7, 0.1


def pick_with_relion(order: PickingOrder) -> Mapping[str, Picks]:
    """Return what ``relion_autopick`` picks; raises `ProgramError` where it is absent or fails.

    The list is cut into as many parts as there are threads, and one copy of the program works on
    each. Half precision and pictures are written as float32 for it first.
    """
    program = find_program(PROGRAM, how="install RELION, or use --picker builtin")
    linked = link_micrographs(order.subjects, order.folder)
    templates = order.templates
    if templates is not None:
        write_templates(order.folder, templates)
    ctf = all(m.subject.micrograph.given_ctf is not None for m in linked)
    parts = [linked[k :: order.threads] for k in range(order.threads) if linked[k :: order.threads]]

    def work(numbered: tuple[int, Sequence[LinkedMicrograph]]) -> None:
        """Run the program on one part."""
        number, part = numbered
        star = f"part_{number:03d}.star"
        write_list(order.folder / star, part)
        arguments = relion_arguments(
            order.parameters,
            star,
            template_size_a=None if templates is None else templates.pixel_size_a,
            ctf=ctf,
        )
        log = order.folder / f"part_{number:03d}.log"
        run_program([program, *arguments], folder=order.folder, log=log)

    with ThreadPoolExecutor(max(1, len(parts))) as pool:
        list(pool.map(work, enumerate(parts)))
    found = {}
    for micrograph in linked:
        name = micrograph.subject.subject
        star = order.folder / "picked" / Path(micrograph.name).with_suffix("")
        path = star.with_name(f"{star.name}_autopick.star")
        if path.is_file():
            found[name] = read_coordinates(path, name)
    return found


def relion_arguments(
    parameters: PickingParameters, star: str, *, template_size_a: float | None, ctf: bool
) -> list[str]:
    """Return the options of ``relion_autopick`` that mean what the parameters mean.

    Templates are light on dark ground, as RELION's class averages are. ``--shrink 0`` lets the
    lowpass decide how far the micrograph is binned.
    """
    arguments = ["--i", star, "--odir", "picked/", "--pickname", "autopick", "--shrink", "0"]
    arguments += ["--lowpass", f"{parameters.lowpass_a:g}"]
    if template_size_a is None:
        between = (parameters.diameter_a + parameters.diameter_min_a) / 2.0
        arguments += ["--LoG", "--LoG_diam_min", f"{parameters.diameter_min_a:g}"]
        arguments += ["--LoG_diam_max", f"{parameters.diameter_max_a:g}"]
        arguments += ["--LoG_adjust_threshold", "0", "--LoG_upper_threshold", "999"]
        arguments += ["--LoG_neighbour", f"{100.0 * parameters.spacing_a / between:g}"]
        if parameters.contrast_sign > 0:
            arguments.append("--Log_invert")
        return arguments
    arguments += ["--ref", "templates.mrcs", "--angpix_ref", f"{template_size_a:g}"]
    arguments += ["--ang", str(PSI_STEP_DEG), "--threshold", f"{TEMPLATE_THRESHOLD:g}"]
    arguments += ["--min_distance", f"{parameters.spacing_a:g}"]
    arguments += ["--particle_diameter", f"{parameters.diameter_a:g}"]
    if parameters.contrast_sign < 0:
        arguments.append("--invert")
    if ctf:
        arguments.append("--ctf")
    return arguments


def write_list(path: Path, part: Sequence[LinkedMicrograph]) -> None:
    """Write the micrographs of one part as RELION 3.1 reads them.

    What is unknown of the optics stands as a usual value: the LoG filter needs only the pixel
    size, and templates are told to use a CTF only where every micrograph has one.
    """
    groups: dict[Optics, int] = {}
    rows = []
    for micrograph in part:
        group = groups.setdefault(micrograph.optics, len(groups) + 1)
        row = [micrograph.name, str(group)]
        ctf = micrograph.subject.micrograph.given_ctf
        if ctf is not None:
            values = (ctf.defocus_u_a, ctf.defocus_v_a, ctf.defocus_angle_deg)
            row += [f"{v:.6f}" for v in (*values, ctf.phase_shift_deg or 0.0)]
        rows.append(tuple(row))
    labels: tuple[str, ...] = (NAME, GROUP)
    if all(m.subject.micrograph.given_ctf is not None for m in part):
        labels += ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnPhaseShift")
    else:
        rows = [row[:2] for row in rows]
    optics = [_optics_row(number, optics) for optics, number in groups.items()]
    columns = (
        "rlnOpticsGroupName",
        GROUP,
        "rlnMicrographPixelSize",
        "rlnVoltage",
        "rlnSphericalAberration",
        "rlnAmplitudeContrast",
    )
    write_star(
        path,
        {
            "optics": StarTable(columns=columns, rows=tuple(optics)),
            "micrographs": StarTable(columns=labels, rows=tuple(rows)),
        },
    )


def _optics_row(number: int, optics: Optics) -> tuple[str, ...]:
    """Return one optics group."""
    return (
        f"opticsGroup{number}",
        str(number),
        f"{optics.pixel_size_a or 1.0:.6f}",
        f"{optics.voltage_kv or UNKNOWN_VOLTAGE_KV:.6f}",
        f"{UNKNOWN_CS_MM if optics.cs_mm is None else optics.cs_mm:.6f}",
        f"{optics.amplitude_contrast or UNKNOWN_AMPLITUDE:.6f}",
    )


RELION = OutsidePicker(name="relion", program=PROGRAM, pick=pick_with_relion)
