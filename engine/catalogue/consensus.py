"""One label out of what several raters say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cryoverdict.engine.training.labelled_set import Label


def consensus(labels: Sequence[Label]) -> Label | None:
    """Return the label that most raters stand for, ``None`` where their verdicts are even.

    The verdict is that of the majority, by weight; the label's weight is the majority's mean weight
    times its share. The grade is that of most raters who keep and grade, none where these are even.
    A defect is there where more than half of the raters who are not in doubt of it name it; where
    fewer name it, or all who speak of it doubt it, it is in doubt.

    >>> keep, reject = Label(favourable=True, grade="great"), Label(favourable=False)
    >>> consensus([keep, keep, reject]).favourable, consensus([keep, reject])
    (True, None)
    """
    if len(labels) == 1:
        return labels[0]
    total = sum(label.weight for label in labels)
    kept = sum(label.weight for label in labels if label.favourable)
    if not labels or abs(2.0 * kept - total) < 1e-9 * total:
        return None
    favourable = 2.0 * kept > total
    side = [label for label in labels if label.favourable == favourable]
    share = (kept if favourable else total - kept) / total
    spoken = frozenset().union(*(label.defects | label.doubtful for label in labels))
    defects, doubtful = set(), set()
    for name in spoken:
        sure = [name in label.defects for label in labels if name not in label.doubtful]
        if sure and 2 * sum(sure) > len(sure):
            defects.add(name)
        elif any(sure) or len(sure) < len(labels):
            doubtful.add(name)
    return Label(
        favourable=favourable,
        grade=_most([label.grade for label in side if label.grade]) if favourable else None,
        defects=frozenset(defects),
        doubtful=frozenset(doubtful),
        weight=share * sum(label.weight for label in side) / len(side),
    )


def _most(words: Sequence[str]) -> str | None:
    """Return the most frequent word, ``None`` where two are."""
    ranked = Counter(words).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
