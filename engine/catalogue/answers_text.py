"""A micrograph's measured answers as the text that the database keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from cryoverdict.features.feature import Absent, Answer, Given
from cryoverdict.features.micrograph import Micrograph


def answers_text(answers: Mapping[str, Answer]) -> str:
    """Return answers as JSON, each a pair of kind and content, in the order measured."""
    pairs: dict[str, tuple[str, float | str]] = {}
    for name, answer in answers.items():
        match answer:
            case Absent(reason):
                pairs[name] = ("absent", reason)
            case Given(value):
                pairs[name] = ("given", float(value))
            case value:
                pairs[name] = ("measured", float(value))
    return json.dumps(pairs, ensure_ascii=False, allow_nan=False)


def read_answers(text: str) -> dict[str, Answer]:
    """Return what `answers_text` took."""
    makers = {"absent": Absent, "given": Given, "measured": float}
    return {name: makers[kind](content) for name, (kind, content) in json.loads(text).items()}


def given_text(micrograph: Micrograph) -> str:
    """Return what a list told of a micrograph's CTF and motion as JSON; empty where nothing."""
    told = {"ctf": micrograph.given_ctf, "motion": micrograph.given_motion}
    present = {name: asdict(one) for name, one in told.items() if one is not None}
    return json.dumps(present, sort_keys=True) if present else ""
