"""The reference catalogue's sessions: simulated, measured at once, kept without their pixels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.parallel import each
from cryoverdict.engine.simulation.data_set import draw_micrographs
from cryoverdict.engine.simulation.data_set_files import micrograph_seed
from cryoverdict.engine.simulation.micrograph import SimulatedMicrograph, simulate_micrograph
from cryoverdict.engine.simulation.reference import (
    Presentation,
    lesson_session,
    presented,
    reference_session,
)
from cryoverdict.engine.training.labelled_set import (
    SIMULATED,
    Label,
    LabelledSet,
    read_labelled_set,
    write_labelled_sets,
)
from cryoverdict.engine.training.visible_truth import visible_label
from cryoverdict.features.embedding import installed_network
from cryoverdict.features.embedding_pictures import NetworkPictures, network_pictures
from cryoverdict.features.families import measure, micrograph_features
from cryoverdict.features.feature import Answer
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.table import FeatureTable
from cryoverdict.features.view import View

PICTURES = "pictures.npz"
TRUTH = "truth.jsonl"
# Sessions that only the network learns from have names that begin so.
LESSON = SIMULATED + "lesson_"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """One session to make, and where to keep it; a lesson is not measured."""

    seed: int
    micrographs: int
    folder: Path
    lesson: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSet:
    """A session of the reference catalogue as it is kept on disk.

    ``truth`` gives for each subject what the simulator knows, in the order of the table.
    """

    folder: Path
    truth: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.folder.name

    def labelled(self) -> LabelledSet:
        """Return the measurements and labels; a lesson has none."""
        return read_labelled_set(self.folder)

    def pictures(self) -> tuple[NetworkPictures, ...]:
        """Return what the network looks at, in the order of the table."""
        with np.load(self.folder / PICTURES, allow_pickle=False) as stored:
            spectra, nyquists = stored["spectra"], stored["nyquist_per_a"]
            return tuple(
                NetworkPictures(
                    field=stored[f"field_{i:04d}"],
                    spectrum=spectra[i],
                    nyquist_per_a=None if np.isnan(nyquists[i]) else float(nyquists[i]),
                )
                for i in range(len(spectra))
            )


def make_reference_sessions(
    folder: Path,
    *,
    seeds: range,
    micrographs: int,
    threads: int,
    lessons: bool = False,
    tick: Callable[[object], None] = lambda _: None,
) -> None:
    """Make the sessions of ``seeds`` that ``folder`` lacks; a killed run goes on where it was.

    A session is kept as its feature table, labels, truths and the network's input pictures, a
    lesson as truths and pictures. The truths are written last.
    """
    orders = [_Order(seed=s, micrographs=micrographs, folder=folder, lesson=lessons) for s in seeds]
    missing = [o for o in orders if not (_place(o) / TRUTH).exists()]
    for order in each(_make, missing, threads=threads):
        tick(order)


def _place(order: _Order) -> Path:
    """Return where a session is kept."""
    return order.folder / f"{LESSON if order.lesson else SIMULATED}{order.seed:04d}"


def read_reference_sets(folder: Path) -> Iterator[ReferenceSet]:
    """Yield the finished sessions and lessons in a folder, in the order of their names."""
    found = sorted(p.parent for p in folder.glob(f"{SIMULATED}*/{TRUTH}"))
    if not found:
        msg = f"{folder}: no reference session; make some with `cryoverdict catalogue simulate`"
        raise EngineError(msg)
    for place in found:
        lines = (place / TRUTH).read_text(encoding="utf-8").splitlines()
        yield ReferenceSet(folder=place, truth=tuple(json.loads(line) for line in lines))


def pack_reference(folder: Path, output: Path) -> dict[str, int]:
    """Write the finished sessions in ``folder`` as one set of tables, embedded; return counts.

    ``output`` receives ``features.parquet``, ``labels.csv`` and ``truth.jsonl``. Embeddings are by
    the installed network; without one there are none. Lessons are left out.
    """
    network = installed_network()
    sets: list[LabelledSet] = []
    truths: list[dict[str, Any]] = []
    for found in read_reference_sets(folder):
        if found.name.startswith(LESSON):
            continue
        labelled = _relabelled(found)
        if network is not None:
            shown = zip(found.truth, found.pictures(), strict=True)
            kept = [p for t, p in shown if t["subject"] in labelled.labels]
            rows = np.stack([network.embedding(p) for p in kept])
            table = replace(labelled.table, embeddings={network.name: rows})
            labelled = replace(labelled, table=table)
        sets.append(labelled)
        truths += [t for t in found.truth if t["subject"] in labelled.labels]
    write_labelled_sets(sets, output)
    lines = [json.dumps(t, sort_keys=True) + "\n" for t in truths]
    (output / TRUTH).write_text("".join(lines), encoding="utf-8")
    good = sum(label.favourable for s in sets for label in s.labels.values())
    return {"data_sets": len(sets), "good": good, "bad": len(truths) - good}


def _relabelled(found: ReferenceSet) -> LabelledSet:
    """Return a session's measurements under labels as today's rule makes them from its truths."""
    labels = {str(t["subject"]): visible_label(t) for t in found.truth}
    shown = {subject: label for subject, label in labels.items() if label is not None}
    return LabelledSet(name=found.name, table=found.labelled().table.select(shown), labels=shown)


def teaches_embedding(name: str) -> bool:
    """Say whether the network learns from a session: lessons, and three in ten of the others.

    The models learn from the rest. A network knows the micrographs that it learnt from by heart; a
    model that learnt from its embeddings of the same micrographs would trust them too much.
    """
    return name.startswith(LESSON) or int(name.removeprefix(SIMULATED)) % 10 < 3


def _make(order: _Order) -> _Order:
    """Simulate, measure and write one session."""
    draw = lesson_session if order.lesson else reference_session
    session = draw(order.seed, order.micrographs)
    folder = _place(order)
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Answer]] = {}
    labels: dict[str, Label] = {}
    truths: list[dict[str, Any]] = []
    drawn: list[NetworkPictures] = []
    seed = order.seed + (1_000_000 if order.lesson else 0)
    for number, spec in enumerate(draw_micrographs(session.spec, seed)):
        made = simulate_micrograph(spec, micrograph_seed(seed, number))
        subject = f"{folder.name}/{number:04d}"
        known = _known(made, subject, session.presentation)
        label = visible_label(known)
        if label is None:
            continue
        view = _viewed(made, session.presentation, micrograph_seed(seed, number), subject)
        if not order.lesson:
            rows[subject] = measure(view)
            labels[subject] = label
        truths.append(known)
        drawn.append(view.once(network_pictures))
    _write_pictures(folder / PICTURES, drawn)
    if not order.lesson:
        table = FeatureTable.of(rows, micrograph_features())
        LabelledSet(name=folder.name, table=table, labels=labels).write(folder)
    lines = [json.dumps(t, sort_keys=True) + "\n" for t in truths]
    temporary = folder / (TRUTH + ".part")
    temporary.write_text("".join(lines), encoding="utf-8")
    temporary.replace(folder / TRUTH)
    return order


def _viewed(made: SimulatedMicrograph, how: Presentation, seed: int, subject: str) -> View:
    """Return the view of a micrograph as it arrives."""
    pixels, width = presented(made.pixels, how, seed)
    optics = Optics()
    if how.optics_known:
        optics = replace(made.optics, pixel_size_a=made.spec.pixel_size_a * width)
    image = Image(
        pixels=pixels,
        has_counts=not how.picture,
        saturation_level=255.0 if how.picture else None,
    )
    return prepare(Micrograph(subject=subject, path=Path(subject), optics=optics), image, optics)


def _known(made: SimulatedMicrograph, subject: str, how: Presentation) -> dict[str, Any]:
    """Return what the simulator knows of a micrograph, as plain numbers."""
    truth, spec = made.truth, made.spec
    area_a2 = made.pixels.size * spec.pixel_size_a**2
    return {
        "subject": subject,
        "verdict": truth.verdict,
        "grade": truth.grade,
        "grey": truth.grey,
        "total_severity": round(truth.total_severity, 4),
        "severities": {k: round(v, 4) for k, v in truth.defects.items()},
        "mechanisms": {k: round(v, 4) for k, v in truth.mechanisms.items()},
        "defocus_a": round(0.5 * (truth.ctf.defocus_u_a + truth.ctf.defocus_v_a), 1),
        "astigmatism_a": round(abs(truth.ctf.defocus_u_a - truth.ctf.defocus_v_a), 1),
        "phase_shift_deg": round(truth.ctf.phase_shift_deg, 2),
        "dose_e_per_a2": round(truth.dose_e_per_a2, 3),
        "ice_thickness_a": round(truth.ice_thickness_a, 1),
        "drift_a": round(truth.drift_a, 3),
        "usable": round(float(truth.usable.mean()), 4),
        "particles_per_um2": round(len(truth.centres_px) / (area_a2 * 1e-8), 2),
        "particle": spec.particle.name,
        "voltage_kv": spec.voltage_kv,
        "detector": spec.detector,
        "pixel_size_a": round(spec.pixel_size_a, 4),
        "picture": how.picture,
    }


def _write_pictures(path: Path, drawn: list[NetworkPictures]) -> None:
    """Write the network's pictures of a session, uncompressed so that training reads them fast."""
    arrays: dict[str, NDArray[np.generic]] = {
        f"field_{i:04d}": pictures.field for i, pictures in enumerate(drawn)
    }
    nyquists = [np.nan if p.nyquist_per_a is None else p.nyquist_per_a for p in drawn]
    temporary = path.with_suffix(".part.npz")
    np.savez(
        temporary,
        allow_pickle=False,
        spectra=np.stack([p.spectrum for p in drawn]),
        nyquist_per_a=np.array(nyquists, np.float64),
        **arrays,
    )
    temporary.replace(path)
