"""What is wrong with a stored record, in words for people who have not written the reader."""

from __future__ import annotations

import json


def record_fault(error: Exception) -> str:
    """Return what the failed reading of a JSON record says of the record.

    >>> record_fault(KeyError("outcome")), record_fault(TypeError("unexpected keyword"))
    ('it lacks outcome', 'its entries are not those of this version')
    """
    match error:
        case json.JSONDecodeError():
            return f"it is no JSON from character {error.pos + 1} on"
        case UnicodeDecodeError():
            return "it is no text in UTF-8"
        case KeyError():
            return f"it lacks {error.args[0]}"
        case _:
            return "its entries are not those of this version"
