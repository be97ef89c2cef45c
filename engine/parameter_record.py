"""The file that parameter decisions are kept in, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.parameter_decision import ParameterDecision
from cryoverdict.engine.record_fault import record_fault


def write_records(path: Path, decisions: Iterable[ParameterDecision]) -> None:
    """Write one decision a line, keys sorted, and move the file into place when it is whole."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", encoding="utf-8") as lines:
        for decision in decisions:
            lines.write(json.dumps(decision.to_dict(), sort_keys=True, ensure_ascii=False) + "\n")
    temporary.replace(path)


def read_records(path: Path) -> tuple[ParameterDecision, ...]:
    """Return what `write_records` wrote; raises `EngineError` with the line that is not."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); accepted is a decisions.jsonl"
        raise EngineError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: {record_fault(error)}; accepted is a decisions.jsonl"
        raise EngineError(msg) from error
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(ParameterDecision.from_dict(json.loads(line)))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            msg = f"{path}:{number}: not a parameter decision: {record_fault(error)}; write it anew"
            raise EngineError(msg) from error
    return tuple(found)
