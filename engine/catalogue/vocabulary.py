"""The words in which people label micrographs, and what they mean in ours.

Ours are the defects of `reject-micrographs`, its grades, and keep or reject. Understood are also
the class folders of MicAssess (doi 10.1016/j.str.2020.03.008) and the four choices of MIFFI
(doi 10.1016/j.jsb.2024.108072).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.engine.training.labelled_set import Label

GRADES = REJECT_MICROGRAPHS.grades
DEFECTS = REJECT_MICROGRAPHS.defects
KEEP_WORDS = ("keep", "kept", "good", "accept", "accepted", "true", "1", "yes")
REJECT_WORDS = ("reject", "rejected", "bad", "discard", "discarded", "false", "0", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one word says: a verdict, a grade, defects that are there, defects that may be."""

    favourable: bool | None = None
    grade: str | None = None
    defects: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()


def _defect(*names: str, doubtful: Sequence[str] = ()) -> Meaning:
    """Return the meaning of a word for defects."""
    return Meaning(defects=frozenset(names), doubtful=frozenset(doubtful))


# A class of MicAssess that stands for several of our defects is named after its most frequent.
WORDS: Mapping[str, Meaning] = MappingProxyType(
    {
        **{word: Meaning(favourable=True) for word in KEEP_WORDS},
        **{word: Meaning(favourable=False) for word in REJECT_WORDS},
        **{grade: Meaning(favourable=True, grade=grade) for grade in GRADES},
        **{defect: _defect(defect) for defect in DEFECTS},
        "contamination_aggregate_crack_breaking_drifting": _defect(
            "contamination", doubtful=("film", "drift", "broken_exposure")
        ),
        "empty_ice_no_particles_but_vitreous": _defect("empty_vitreous_ice"),
        "empty_ice_no_particles_but_vitreous_ice": _defect("empty_vitreous_ice"),
    }
)
# Each choice of MIFFI in the order of its four lists. What it keeps says nothing of a defect; what
# its second list rejects may be any of several.
MIFFI: tuple[Mapping[str, Meaning], ...] = (
    {
        "no_film": Meaning(),
        "minor_film": Meaning(doubtful=frozenset({"film"})),
        "major_film": _defect("film"),
        "film": _defect("film"),
    },
    {
        "no_crack_drift": Meaning(),
        "crack_drift_empty": Meaning(
            favourable=False,
            doubtful=frozenset({"drift", "film", "empty_no_ice", "empty_vitreous_ice"}),
        ),
    },
    {
        "not_crystalline": Meaning(),
        "minor_crystalline": _defect("crystalline_ice"),
        "major_crystalline": _defect("crystalline_ice"),
    },
    {"minor_contamination": Meaning(), "major_contamination": _defect("contamination")},
)


def read_words(text: str) -> Meaning:
    """Return what a label's words say together; raises `EngineError` for a word nobody knows.

    Words are separated by blanks, commas, semicolons, ``|`` or ``+``; a leading number (as of the
    folders of MicAssess), case, hyphens and blanks inside a class's name do not matter.

    >>> sorted(read_words("2Contamination_Aggregate_Crack_Breaking_Drifting").defects)
    ['contamination']
    >>> read_words("0Great").grade, sorted(read_words("drift; thick ice").defects)
    ('great', ['drift', 'thick_ice'])
    """
    found = [m for part in re.split(r"[;,|+]", text) if part.strip() for m in _part(part)]
    return merged(found)


def class_word(name: str) -> bool:
    """Say whether a folder's name is a class of micrographs."""
    return _normal(name) in WORDS


def merged(meanings: Sequence[Meaning]) -> Meaning:
    """Return what several words say together; a word that rejects is stronger than one that keeps.

    What one word is sure of is in no doubt by another.
    """
    verdicts = {m.favourable for m in meanings} - {None}
    defects = frozenset().union(*(m.defects for m in meanings))
    return Meaning(
        favourable=None if not verdicts else False not in verdicts,
        grade=next((m.grade for m in meanings if m.grade is not None), None),
        defects=defects,
        doubtful=frozenset().union(*(m.doubtful for m in meanings)) - defects,
    )


def label_of(meaning: Meaning, *, weight: float = 1.0) -> Label:
    """Return the label that words amount to; raises `EngineError` where they amount to none.

    A defect without a verdict rejects. A bare rejection leaves every defect in doubt: something is
    wrong, nobody said what.
    """
    favourable = meaning.favourable
    if favourable is None and meaning.defects:
        favourable = False
    if favourable is None:
        msg = f"no verdict; accepted are keep, reject, {', '.join(GRADES)} or a defect"
        raise EngineError(msg)
    unnamed = not favourable and not meaning.defects and not meaning.doubtful
    return Label(
        favourable=favourable,
        grade=meaning.grade if favourable else None,
        defects=meaning.defects,
        doubtful=frozenset(DEFECTS) if unnamed else meaning.doubtful,
        weight=weight,
    )


def miffi_label(choices: object) -> Label:
    """Return the label of MIFFI's four choices, given as words or as their numbers.

    MIFFI keeps what has no or minor film and neither of the other three; so does this.
    Raises `EngineError` for anything but four known choices.
    """
    if not isinstance(choices, (list, tuple)) or len(choices) != len(MIFFI):
        count = f"{len(choices)} values" if isinstance(choices, (list, tuple)) else "one value"
        msg = f"{count}; accepted are MIFFI's four choices"
        raise EngineError(msg)
    meanings = []
    for choice, accepted in zip(choices, MIFFI, strict=True):
        words = tuple(accepted)
        if isinstance(choice, int) and not isinstance(choice, bool) and 0 <= choice < len(words):
            choice = words[choice]
        if not isinstance(choice, str) or choice not in accepted:
            shown = repr(choice)[:40] if isinstance(choice, (str, int)) else type(choice).__name__
            msg = f"the choice {shown}; accepted are {', '.join(words)}"
            raise EngineError(msg)
        meanings.append(accepted[choice])
    meaning = merged(meanings)
    if meaning.favourable is None and not meaning.defects:
        meaning = merged([meaning, Meaning(favourable=True)])
    return label_of(meaning)


def _part(text: str) -> list[Meaning]:
    """Return the meanings of one part of a label: one class's name, or words apart by blanks."""
    whole = _normal(text)
    if whole in WORDS:
        return [WORDS[whole]]
    words = [_normal(word) for word in text.split()]
    unknown = [word for word in words if word not in WORDS]
    if unknown:
        msg = (
            f"the label {unknown[0][:60]!r}; accepted are keep, reject, "
            f"{', '.join((*GRADES, *DEFECTS))}, and the class folders of MicAssess"
        )
        raise EngineError(msg)
    return [WORDS[word] for word in words]


def _normal(text: str) -> str:
    """Return a word in the form in which the vocabulary has it."""
    word = re.sub(r"[\s\-]+", "_", text.strip().lower())
    return word if word in WORDS else re.sub(r"^\d+[_.]?", "", word)
