"""What this engine asks of the picks of any picker: inside, on usable ice, not twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picks import DroppedPicks, Picks
from cryoverdict.features.area_map import AreaKind
from cryoverdict.features.input_error import InputError


def screened(
    picks: Picks,
    *,
    shape: tuple[int, int],
    pixel_size_a: float,
    usable_area: Path | None,
    parameters: PickingParameters,
) -> Picks:
    """Return the picks of an outside picker, those dropped that cannot be used, by their reason.

    Dropped are places beyond the edge margin (``edge``), on anything but usable ice (the kind of
    area there), and nearer than the spacing to a better one (``crowded``); then the worst beyond
    the most of a micrograph (``too_many``). The score is the picker's own and is not cut.
    ``shape`` is rows and columns of the micrograph.
    """
    reasons = np.full(len(picks), "", object)
    margin = parameters.edge_margin_a / pixel_size_a
    x, y = picks.x_px, picks.y_px
    inside = (x >= margin) & (x <= shape[1] - 1 - margin)
    inside &= (y >= margin) & (y <= shape[0] - 1 - margin)
    if usable_area is not None:
        kind = area_at(usable_area, x, y, shape)
        for code in np.unique(kind[kind > 0]):
            reasons[kind == code] = AreaKind(int(code)).name.lower()
    reasons[~inside] = "edge"
    spacing = parameters.spacing_a / pixel_size_a
    free = np.flatnonzero(reasons == "")
    taken = apart(x[free], y[free], spacing)
    reasons[free[~taken]] = "crowded"
    kept = np.flatnonzero(reasons == "")
    reasons[kept[parameters.most_per_micrograph :]] = "too_many"
    return dropping(picks, reasons)


def dropping(picks: Picks, reasons: NDArray[np.object_]) -> Picks:
    """Return picks without those that have a reason, which stand under ``dropped`` then."""
    kept = reasons == ""
    dropped = dict(picks.dropped)
    for reason in sorted({str(r) for r in reasons[~kept]}):
        gone = reasons == reason
        before = dropped.get(reason)
        mine = (picks.x_px[gone], picks.y_px[gone], picks.score[gone])
        if before is not None:
            both = zip((before.x_px, before.y_px, before.score), mine, strict=True)
            mine = tuple(np.concatenate(pair) for pair in both)  # type: ignore[assignment]
        dropped[reason] = DroppedPicks(x_px=mine[0], y_px=mine[1], score=mine[2])
    return Picks(
        subject=picks.subject,
        x_px=picks.x_px[kept],
        y_px=picks.y_px[kept],
        score=picks.score[kept],
        diameter_a=picks.diameter_a[kept],
        dropped=dropped,
        usable_fraction=picks.usable_fraction,
        notes=picks.notes,
    )


def apart(x: NDArray[np.float64], y: NDArray[np.float64], spacing: float) -> NDArray[np.bool_]:
    """Return which places stay where each, from the first on, keeps the others off by a spacing."""
    from scipy.spatial import cKDTree

    stay = np.ones(len(x), bool)
    if len(x) < 2:
        return stay
    near = cKDTree(np.column_stack([x, y])).query_pairs(spacing, output_type="ndarray")
    near = near[near[:, 0].argsort(kind="stable")]
    partners: dict[int, list[int]] = {}
    for one, other in near.tolist():
        partners.setdefault(min(one, other), []).append(max(one, other))
    for one in range(len(x)):
        if stay[one]:
            for other in partners.get(one, ()):
                stay[other] = False
    return stay


def area_at(
    usable_area: Path, x: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the code of the area at each place; places outside the field get the nearest."""
    import mrcfile

    try:
        with mrcfile.open(usable_area, mode="r") as file:
            kind = np.asarray(file.data)
    except (OSError, ValueError) as error:
        msg = f"{usable_area}: the usable-area map cannot be read ({error})"
        raise InputError(msg) from error
    if kind.ndim != 2:
        msg = f"{usable_area}: {kind.ndim}-dimensional; accepted is a 2-D map of area codes"
        raise InputError(msg)
    if not np.isin(kind, [code.value for code in AreaKind]).all():
        msg = f"{usable_area}: holds other numbers; accepted is a 2-D map of area codes"
        raise InputError(msg)
    # Clipped first: a place far outside fits no whole number.
    rows = np.clip((y + 0.5) * kind.shape[0] / shape[0], 0, kind.shape[0] - 1).astype(int)
    columns = np.clip((x + 0.5) * kind.shape[1] / shape[1], 0, kind.shape[1] - 1).astype(int)
    codes: NDArray[np.uint8] = kind[rows, columns].astype(np.uint8)
    return codes
