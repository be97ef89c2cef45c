"""What several pickers found together, and how far each agrees with the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking_run.screening import dropping

ALONE = "one_picker_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How the picks of one picker fare with the others.

    ``found`` is how many it found, ``shared`` how many of these another picker found too, and
    ``missed`` how many that two others agree on it did not find.
    """

    picker: str
    found: int
    shared: int
    missed: int


def agreed(by_picker: Mapping[str, Picks], *, within_px: float) -> Picks:
    """Return the places that more than half of the pickers found, at least two.

    Places of different pickers within ``within_px`` are one: the place and diameter are those of
    the first picker (in the order given) that found it. The score is the mean over the pickers of
    the rank of the score among its own picks, from 0 (worst) to 1 (best), 0 where a picker did not
    find it, so that no picker's unit outweighs another's. What too few found is dropped as
    ``one_picker_only``.
    """
    groups = matched(list(by_picker.values()), within_px)
    pickers = list(by_picker.values())
    needed = max(2, len(pickers) // 2 + 1)
    ranks = [_ranks(p.score) for p in pickers]
    x, y, score, diameter, votes = [], [], [], [], []
    for group in groups:
        first = min(group)
        x.append(float(pickers[first].x_px[group[first]]))
        y.append(float(pickers[first].y_px[group[first]]))
        sizes = [float(pickers[p].diameter_a[i]) for p, i in sorted(group.items())]
        diameter.append(next((d for d in sizes if np.isfinite(d)), float("nan")))
        score.append(sum(float(ranks[p][i]) for p, i in group.items()) / len(pickers))
        votes.append(len(group))
    order = np.argsort(-np.array(score), kind="stable") if score else np.empty(0, int)
    base = pickers[0]
    together = Picks(
        subject=base.subject,
        x_px=np.array(x, float)[order],
        y_px=np.array(y, float)[order],
        score=np.array(score, float)[order],
        diameter_a=np.array(diameter, float)[order],
        dropped=base.dropped,
        usable_fraction=base.usable_fraction,
        notes=base.notes,
    )
    enough = np.array(votes, int)[order] >= needed
    return dropping(together, np.where(enough, "", ALONE).astype(object))


def summed(all_agreements: Iterable[Sequence[Agreement]]) -> tuple[Agreement, ...]:
    """Return the agreements of many micrographs added up, by picker in the order met."""
    totals: dict[str, list[int]] = {}
    for one in all_agreements:
        for a in one:
            mine = totals.setdefault(a.picker, [0, 0, 0])
            for k, n in enumerate((a.found, a.shared, a.missed)):
                mine[k] += n
    return tuple(
        Agreement(picker=name, found=found, shared=shared, missed=missed)
        for name, (found, shared, missed) in totals.items()
    )


def agreements(by_picker: Mapping[str, Picks], *, within_px: float) -> tuple[Agreement, ...]:
    """Return how each picker agrees with the others on one micrograph."""
    groups = matched(list(by_picker.values()), within_px)
    return tuple(_agreement(name, k, groups) for k, name in enumerate(by_picker))


def matched(pickers: Sequence[Picks], within_px: float) -> list[dict[int, int]]:
    """Return groups of picks that are one place: picker's number to pick, one a picker.

    Two pickers are matched one to one, nearest pairs first; a third is matched to the places found
    so far.
    """
    from scipy.spatial import cKDTree

    groups: list[dict[int, int]] = []
    places: list[tuple[float, float]] = []
    for number, picks in enumerate(pickers):
        here = np.column_stack([picks.x_px, picks.y_px])
        owner = np.full(len(here), -1)
        if len(here) and places:
            near = cKDTree(np.array(places)).sparse_distance_matrix(
                cKDTree(here), within_px, output_type="ndarray"
            )
            taken: set[int] = set()
            for pair in near[np.lexsort((near["j"], near["i"], near["v"]))]:
                place, pick = int(pair["i"]), int(pair["j"])
                if place not in taken and owner[pick] < 0:
                    taken.add(place)
                    owner[pick] = place
        for pick, place in enumerate(owner.tolist()):
            if place >= 0:
                groups[place][number] = pick
            else:
                groups.append({number: pick})
                places.append((float(here[pick, 0]), float(here[pick, 1])))
    return groups


def _agreement(name: str, number: int, groups: Sequence[Mapping[int, int]]) -> Agreement:
    """Return how one picker agrees with the others."""
    mine = [g for g in groups if number in g]
    return Agreement(
        picker=name,
        found=len(mine),
        shared=sum(len(g) > 1 for g in mine),
        missed=sum(len(g) > 1 for g in groups if number not in g),
    )


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each score from 0 to 1, a half where no score is known."""
    known = np.isfinite(scores)
    ranks = np.full(len(scores), 0.5)
    if known.sum() > 1:
        order = np.argsort(np.argsort(scores[known], kind="stable"), kind="stable")
        ranks[known] = (order + 0.5) / known.sum()
    return ranks
