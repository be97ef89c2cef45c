"""Box sizes that Fourier transforms are fast at."""

from __future__ import annotations

SMALLEST, LARGEST = 16, 8192


def is_friendly(size: int) -> bool:
    """Say whether a size is even and has no prime factor above 7.

    >>> [n for n in range(90, 130) if is_friendly(n)]
    [90, 96, 98, 100, 108, 112, 120, 126, 128]
    """
    if size < SMALLEST or size % 2:
        return False
    for prime in (2, 3, 5, 7):
        while size % prime == 0:
            size //= prime
    return size == 1


def friendly_from(size: float) -> int:
    """Return the smallest friendly size that is not less.

    >>> friendly_from(271.2), friendly_from(280.0), friendly_from(3.0)
    (280, 280, 16)
    """
    found = max(SMALLEST, -int(-size // 1))
    while not is_friendly(found) and found < LARGEST:
        found += 1
    return found


def friendly_to(size: float) -> int:
    """Return the largest friendly size that is not more, at least `SMALLEST`.

    >>> friendly_to(279.9), friendly_to(280.0)
    (270, 280)
    """
    found = int(size)
    while not is_friendly(found) and found > SMALLEST:
        found -= 1
    return max(SMALLEST, found)
