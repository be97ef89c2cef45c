"""How well single particles match the good class averages, and how well the junk ones.

Each particle is compared with every average at every turn and at near shifts, by the likelihood
that 2D classification uses, first coarsely, then finely about the best place. Imported late: it
loads PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cryoverdict.engine.classification.expectation import Search, expected, prepared_search
from cryoverdict.engine.classification.lanes import each_lane, laid_out
from cryoverdict.engine.classification.polar_images import PolarBatch, PolarImages
from cryoverdict.engine.classification.schedule import Stage
from cryoverdict.engine.learning.learnt_references import LearntReferences
from cryoverdict.features.particle_feature import Values, particle_feature

LANES = 8
BATCH = 64
# The coarse comparison looks at detail down to about this, in Å, with steps of so many pixels.
COARSE_A = 24.0
COARSE_STEP_PX = 2.0
FINE_REACH_PX, FINE_STEP_PX = 1.5, 1.0
# Log-odds beyond this say no more than "surely".
SUREST = 40.0
PAPER = "likelihood of a particle under an average, Scheres 2012 (J. Mol. Biol. 415:406)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What the comparison found of each particle, ``(n,)`` unless said otherwise.

    ``good`` and ``junk`` are log-likelihoods of the best average of each sort over that of no
    particle at all (NaN where there are no such averages); ``margin`` the log-odds of good against
    junk; ``likeness`` the correlation with the best good average, ``amplitude`` its contrast in
    units of the average; ``misfit`` what is left there over what noise would leave; ``top`` the
    probability of the best place. Of the best place in any average: ``number`` its class,
    ``turn_deg``, and ``shift_px`` ``(n, 2)``, the particle's centre from the box's.
    """

    good: Values
    junk: Values
    margin: Values
    amplitude: Values
    likeness: Values
    misfit: Values
    top: Values
    number: NDArray[np.int64]
    turn_deg: Values
    shift_px: Values


@particle_feature(better="higher", source=PAPER)
def good_match(match: Match) -> Values:
    """Log-likelihood of the best good class average, over that of empty ice."""
    return match.good


@particle_feature(source=PAPER)
def junk_match(match: Match) -> Values:
    """Log-likelihood of the best junk class average, over that of empty ice."""
    return match.junk


@particle_feature(better="higher", source=PAPER)
def match_margin(match: Match) -> Values:
    """Log-likelihood of the good class averages, over that of the junk ones."""
    return match.margin


@particle_feature(better="higher", source="normalised cross-correlation with the average")
def match_likeness(match: Match) -> Values:
    """Correlation of the particle with the class average that it matches best."""
    return match.likeness


@particle_feature(source="contrast that explains the image best, in units of the average's")
def match_amplitude(match: Match) -> Values:
    """Contrast of the particle relative to the class average that it matches best."""
    return match.amplitude


@particle_feature(better="lower", source=PAPER)
def match_misfit(match: Match) -> Values:
    """Remainder of the image after the best class average, over what noise would leave."""
    return match.misfit


@particle_feature(source=PAPER)
def match_certainty(match: Match) -> Values:
    """Probability of the best class, turn and shift among all that were tried."""
    return match.top


@particle_feature(better="lower", unit="px", source="pickers err by a fraction of the diameter")
def match_shift_px(match: Match) -> Values:
    """Distance of the matched centre from the picked one, in pixels of the particle image."""
    return np.hypot(match.shift_px[:, 0], match.shift_px[:, 1])


FEATURES = (
    good_match,
    junk_match,
    match_margin,
    match_likeness,
    match_amplitude,
    match_misfit,
    match_certainty,
    match_shift_px,
)


def match_particles(
    images: PolarImages,
    references: LearntReferences,
    indices: NDArray[np.int64],
    *,
    reach_px: float,
    threads: int = 1,
) -> Match:
    """Compare the particles ``indices`` of a stack with the averages; the rows are in their order.

    ``reach_px`` is how far from the box's centre a particle is looked for. The result does not
    depend on the number of threads.
    """
    grid = images.grid
    coarse_rings = max(3, min(grid.compared, round(grid.box * grid.pixel_size_a / COARSE_A)))
    with torch.inference_mode():
        held = references.tensors()
        inverse = torch.from_numpy(1.0 / references.noise)
        coarse = prepared_search(grid, held, _stage(coarse_rings, reach_px, COARSE_STEP_PX))
        fine = prepared_search(grid, held, _stage(grid.compared, FINE_REACH_PX, FINE_STEP_PX))
        images.centres_px[indices] = 0
        blocks = laid_out(indices, LANES)

        def work(lane: int) -> list[tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]]:
            """Compare the particles of one lane, centred by the coarse search first."""
            found = []
            for block in blocks[lane]:
                for batch in images.batches(block, BATCH):
                    each = inverse[None].repeat(len(batch.indices), 1)
                    place = expected(batch, coarse, each).shift_px
                    images.centres_px[batch.indices] = np.rint(place.numpy()).astype(np.int64)
                for batch in images.batches(block, BATCH):
                    found.append((batch.indices, _compared(batch, fine, references, inverse)))
            return found

        done = [one for lane in each_lane(work, LANES, threads, images.device) for one in lane]
    order = np.argsort(np.concatenate([at for at, _ in done]), kind="stable")
    back = np.empty_like(order)
    back[np.argsort(indices, kind="stable")] = order
    rows = {key: np.concatenate([part[key] for _, part in done])[back] for key in done[0][1]}
    shift = np.stack([rows["x"], rows["y"]], axis=1) + images.centres_px[indices]
    return Match(
        good=rows["good"],
        junk=rows["junk"],
        margin=rows["margin"],
        amplitude=rows["amplitude"],
        likeness=rows["likeness"],
        misfit=rows["misfit"],
        top=rows["top"],
        number=references.number[rows["best"].astype(np.intp)],
        turn_deg=rows["turn"],
        shift_px=np.asarray(shift, np.float64),
    )


def _stage(rings: int, reach_px: float, step_px: float) -> Stage:
    """Return the settings of a comparison in which every average is as probable as another."""
    return Stage(
        rings=rings,
        sharpness=1.0,
        flatness=1.0,
        shift_reach_px=reach_px,
        shift_step_px=step_px,
        particles=0,
        step=1.0,
        moves=False,
        reseeds=False,
    )


def _compared(
    batch: PolarBatch, search: Search, references: LearntReferences, inverse: torch.Tensor
) -> dict[str, NDArray[np.float64]]:
    """Return the columns of `Match` for one batch."""
    rings = search.rings
    each = inverse[None].repeat(len(batch.indices), 1)
    found = expected(batch, search, each)
    evidence = found.log_evidence.double().numpy()
    share = found.by_class.double().numpy()
    good, junk = references.good, ~references.good
    best = share.argmax(axis=1)
    rows = np.arange(len(best))
    power = ((batch.power[:, :rings] * each[:, :rings]) @ search.components).double().numpy()
    # Half the likelihood that a particle exactly like the average would have gained, twice.
    model = 2.0 * ((batch.ctf2[:, :rings] * each[:, :rings]) @ search.penalty).double().numpy()
    model = np.maximum(model[rows, best], 1e-6)
    misfit = found.misfit.double().numpy()
    gained = 0.5 * (power - misfit * float(search.components.sum()))
    product = gained + 0.5 * model
    return {
        "good": evidence + _log_share(share, good),
        "junk": evidence + _log_share(share, junk),
        "margin": np.clip(_log_share(share, good) - _log_share(share, junk), -SUREST, SUREST),
        "amplitude": product / model,
        "likeness": product / np.sqrt(model * np.maximum(power, 1e-6)),
        "misfit": misfit,
        "top": found.top.double().numpy(),
        "best": best.astype(np.float64),
        "turn": np.degrees(found.turn_rad.double().numpy()),
        "x": found.shift_px[:, 0].double().numpy(),
        "y": found.shift_px[:, 1].double().numpy(),
    }


def _log_share(share: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the logarithm of what some classes hold of each particle; NaN without such classes."""
    if not chosen.any():
        return np.full(len(share), np.nan)
    held = share[:, chosen].sum(axis=1)
    return np.asarray(np.log(np.maximum(held, np.exp(-SUREST))), np.float64)
