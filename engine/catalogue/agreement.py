"""How far raters agree beyond chance: Cohen's kappa for two, Fleiss' for several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return Cohen's kappa of two raters' categories of the same items, in the same order.

    κ = (p_o - p_e) / (1 - p_e), with the observed share of agreement p_o and the share p_e that
    each rater's own frequencies would give by chance (Cohen, Educ. Psychol. Meas. 20:37, 1960).
    ``None`` where there is no item, or both raters know a single category and chance is certain.

    >>> round(cohen_kappa("kkkrr", "kkrrr"), 6)
    0.615385
    """
    count = len(first)
    if count == 0:
        return None
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    mine, other = Counter(first), Counter(second)
    chance = sum(mine[category] * other[category] for category in mine) / count**2
    return None if chance >= 1.0 else (observed - chance) / (1.0 - chance)


def fleiss_kappa(items: Sequence[Sequence[Hashable]]) -> float | None:
    """Return Fleiss' kappa of items that each have the categories of two or more raters.

    κ = (P̄ - P_e) / (1 - P_e): P̄ is the mean over the items of the share of agreeing pairs of
    raters, P_e the sum of the squared shares of the categories (Fleiss, Psychol. Bull. 76:378,
    1971; the number of raters may differ from item to item). ``None`` where it is not defined.

    >>> round(fleiss_kappa(["kkr", "kkk", "rrr"]), 6)
    0.55
    """
    rated = [item for item in items if len(item) > 1]
    if not rated:
        return None
    agreeing = 0.0
    total: Counter[Hashable] = Counter()
    for item in rated:
        seen = Counter(item)
        total.update(seen)
        agreeing += sum(n * (n - 1) for n in seen.values()) / (len(item) * (len(item) - 1))
    ratings = sum(total.values())
    chance = sum((n / ratings) ** 2 for n in total.values())
    return None if chance >= 1.0 else (agreeing / len(rated) - chance) / (1.0 - chance)


def pairwise_kappas(
    said: Sequence[Mapping[str, Hashable]],
) -> dict[tuple[str, str], tuple[int, float | None]]:
    """Return for each pair of raters how many items both judged, and their Cohen's kappa.

    ``said`` has for each item the category by rater. Pairs without a common item are left out.
    """
    raters = sorted({rater for item in said for rater in item})
    found = {}
    for one, other in combinations(raters, 2):
        both = [(item[one], item[other]) for item in said if one in item and other in item]
        if both:
            firsts, seconds = zip(*both, strict=True)
            found[one, other] = (len(both), cohen_kappa(firsts, seconds))
    return found
