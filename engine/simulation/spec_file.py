"""The YAML form of a session's settings."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from cryoverdict.engine.simulation.data_set import DataSetSpec
from cryoverdict.engine.simulation.defects import MECHANISMS
from cryoverdict.engine.simulation.detector import DETECTORS
from cryoverdict.engine.simulation.particle_shapes import SHAPES
from cryoverdict.engine.simulation.thumbnail import STRETCHES
from cryoverdict.features.input_error import InputError
from cryoverdict.rules.rule_error import Fault


def read_spec(path: Path) -> DataSetSpec:
    """Return the session that a YAML file describes; what it leaves out has its default.

    The keys are the fields of `DataSetSpec`; ``base`` holds those of `MicrographSpec`, ``particle``
    in it those of `ParticleSpec`; ``mix`` is a mapping of mechanism to weight. Raises `InputError`
    with all faults in one line: unknown keys, wrong types, unknown names, numbers out of range; a
    line each, with its place, for what is no plain YAML, such as a key that stands twice.
    """
    from cryoverdict.rules.yaml_document import read_yaml

    unreadable: list[Fault] = []
    document = read_yaml(path, unreadable, settings=True)
    if document is None:
        raise InputError("\n".join(str(fault) for fault in unreadable))
    given = dict(document.data)
    if isinstance(given.get("mix"), dict):
        given["mix"] = list(given["mix"].items())
    faults: list[str] = []
    spec = _build(DataSetSpec, given, "", faults)
    if not faults:
        faults = _check(spec)
    if faults:
        msg = f"{path}: " + "; ".join(faults)
        raise InputError(msg)
    return spec  # type: ignore[no-any-return]


def _build(kind: Any, given: dict[str, Any], place: str, faults: list[str]) -> Any:
    """Build a dataclass from a mapping, adding what is wrong to ``faults``."""
    hints = get_type_hints(kind)
    names = [f.name for f in fields(kind)]
    values = {}
    for key, value in given.items():
        if key not in names:
            faults.append(f"{place}{key} is no setting; accepted are {', '.join(names)}")
            continue
        values[key] = _convert(hints[key], value, f"{place}{key}", faults)
    return kind(**values) if not faults else None


def _convert(hint: Any, value: Any, place: str, faults: list[str]) -> Any:
    """Return ``value`` as the type ``hint``, adding what is wrong to ``faults``."""
    if is_dataclass(hint):
        if isinstance(value, dict):
            return _build(hint, value, f"{place}.", faults)
    elif get_origin(hint) in (Union, UnionType):
        if value is None:
            return None
        return _convert(
            next(a for a in get_args(hint) if a is not type(None)), value, place, faults
        )
    elif get_origin(hint) is tuple:
        inner = get_args(hint)
        if isinstance(value, list | tuple):
            if inner[-1] is Ellipsis:
                return tuple(_convert(inner[0], v, place, faults) for v in value)
            if len(inner) == len(value):
                return tuple(
                    _convert(h, v, place, faults) for h, v in zip(inner, value, strict=True)
                )
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if isfinite(value):
            return float(value)
    elif isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    faults.append(f"{place} is {value!r}; accepted is a {_describe(hint)}")
    return None


def _describe(hint: Any) -> str:
    """Return a type in words."""
    if is_dataclass(hint):
        return "mapping of settings"
    if get_origin(hint) is tuple:
        inner = [_describe(a) for a in get_args(hint) if a is not Ellipsis]
        return f"list of {' and '.join(inner)}"
    return {float: "number", int: "whole number", str: "text", bool: "true or false"}.get(
        hint, str(hint)
    )


def _check(spec: DataSetSpec) -> list[str]:
    """Return what is out of range in a well-formed spec."""
    base = spec.base
    faults = []
    limits: dict[str, tuple[float, float, float]] = {
        "micrographs": (spec.micrographs, 1, 100_000),
        "bad_fraction": (spec.bad_fraction, 0.0, 1.0),
        "blemish_chance": (spec.blemish_chance, 0.0, 1.0),
        "second_chance": (spec.second_chance, 0.0, 1.0),
        "base.pixel_size_a": (base.pixel_size_a, 0.4, 16.0),
        "base.voltage_kv": (base.voltage_kv, 60.0, 400.0),
        "base.cs_mm": (base.cs_mm, 0.0, 10.0),
        "base.amplitude_contrast": (base.amplitude_contrast, 0.0, 0.99),
        "base.dose_e_per_a2": (base.dose_e_per_a2, 0.01, 1000.0),
        "base.shape rows": (base.shape[0], 64, 16384),
        "base.shape columns": (base.shape[1], 64, 16384),
        "base.coverage": (base.coverage, 0.0, 1.0),
        "base.spacing": (base.spacing, 0.1, 10.0),
        "base.clustering": (base.clustering, 0.0, 1.0),
        "base.overlap": (base.overlap, 0.0, 1.0),
        "base.detector_binning": (base.detector_binning, 0.25, 32.0),
        "base.depth_slabs": (base.depth_slabs, 1, 32),
        "base.ice_thickness_a": (base.ice_thickness_a, 0.0, 50_000.0),
        "base.tilt_deg": (base.tilt_deg, -80.0, 80.0),
        "thumbnail_binning": (spec.thumbnail_binning, 0.0, 64.0),
    }
    for defect in base.defects:
        limits[f"strength of {defect.mechanism}"] = (defect.strength, 0.0, 1.0)
    for name, (low, high) in (
        ("defocus_range_a", spec.defocus_range_a),
        ("astigmatism_range_a", spec.astigmatism_range_a),
        ("coverage_range", spec.coverage_range),
        ("ice_range_a", spec.ice_range_a),
        ("bad_strength", spec.bad_strength),
        ("blemish_strength", spec.blemish_strength),
    ):
        if low > high:
            faults.append(f"{name} is {low:g} to {high:g}; accepted is the lower number first")
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            faults.append(f"{name} is {value:g}; accepted is {low:g} to {high:g}")
    names = (
        ("base.detector", [base.detector], list(DETECTORS)),
        ("base.particle.name", [base.particle.name], list(SHAPES)),
        ("mix", [n for n, _ in spec.mix], list(MECHANISMS)),
        ("base.defects", [d.mechanism for d in base.defects], list(MECHANISMS)),
        ("thumbnail_stretch", [spec.thumbnail_stretch], list(STRETCHES)),
    )
    for place, given, accepted in names:
        for name in given:
            if name not in accepted:
                faults.append(f"{place} names {name!r}; accepted are {', '.join(accepted)}")
    if any(weight < 0.0 for _, weight in spec.mix) or not sum(w for _, w in spec.mix) > 0.0:
        faults.append("mix has a negative weight or none above 0; accepted are weights from 0 up")
    return faults
