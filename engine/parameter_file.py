"""The settled parameters of a step as the file that the next step reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.parameter_decision import ParameterDecision
from cryoverdict.engine.record_fault import record_fault

# So much of a value that is none is shown.
SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterFile:
    """What stands in ``picking.json`` or ``classification.json``.

    ``parameters`` are the settled values by name (with their unit's suffix), ``units`` the units;
    ``templates`` names a stack beside the file, ``None`` where there is none.
    """

    kind: str
    parameters: Mapping[str, float]
    units: Mapping[str, str] = field(default_factory=dict)
    templates: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    version: str = ""

    @classmethod
    def of(cls, decision: ParameterDecision, *, templates: str | None = None) -> ParameterFile:
        """Return the file of a decision; parameters that nothing settled are left out."""
        settled = [p for p in decision.parameters if p.value is not None]
        return cls(
            kind=decision.kind,
            parameters={p.parameter.name: float(p.value or 0.0) for p in settled},
            units={p.parameter.name: p.parameter.unit for p in settled},
            templates=templates,
            digests=decision.digests,
            version=decision.version,
        )

    def write(self, path: Path) -> None:
        """Write the file, keys sorted, moved into place when it is whole."""
        record: dict[str, Any] = {
            "kind": self.kind,
            "version": self.version,
            "parameters": dict(self.parameters),
            "units": dict(self.units),
            "templates": self.templates,
            "digests": dict(self.digests),
        }
        temporary = path.with_name(path.name + ".part")
        text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)

    def number(self, name: str) -> float:
        """Return one parameter; raises `EngineError` where the file lacks it."""
        if name not in self.parameters:
            msg = f"the {self.kind} parameters lack {name}; decide them anew or add it by hand"
            raise EngineError(msg)
        return self.parameters[name]


def read_parameter_file(path: Path, kind: str) -> ParameterFile:
    """Return the parameters of a step; raises `EngineError` for a file of another kind."""
    accepted = f"accepted is the {kind}.json of decide-{kind}"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = str(record["kind"])
        if found != kind:
            msg = f"{path}: holds {found} parameters; {accepted}"
            raise EngineError(msg)
        parameters = {str(name): value for name, value in record["parameters"].items()}
        units, digests = (dict(record.get(name) or {}) for name in ("units", "digests"))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); {accepted}"
        raise EngineError(msg) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path}: not a file of parameters: {record_fault(error)}; {accepted}"
        raise EngineError(msg) from error
    strange = [name for name, value in parameters.items() if not _is_number(value)]
    if strange:
        held = json.dumps(parameters[strange[0]])[:SHOWN]
        msg = f"{path}: {strange[0]} is {held}; accepted is a finite number"
        raise EngineError(msg)
    templates = record.get("templates")
    return ParameterFile(
        kind=found,
        parameters={name: float(value) for name, value in parameters.items()},
        units=units,
        templates=None if templates is None else str(templates),
        digests=digests,
        version=str(record.get("version", "")),
    )


def _is_number(value: object) -> bool:
    """Say whether a value of a JSON record is a finite number; a switch is written as 0 or 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
