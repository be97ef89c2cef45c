"""How probable each class, turn and shift is for each particle."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from cryoverdict.engine.classification.polar import PolarGrid, shift_grid
from cryoverdict.engine.classification.polar_images import PolarBatch
from cryoverdict.engine.classification.references import References
from cryoverdict.engine.classification.schedule import Stage

# Particles lie about this far (1 σ) from the centre that the last iteration gave them.
SHIFT_SIGMA_PX = 3.0
# A class at one shift that holds less than this of a particle adds nothing to the averages.
LEAST_SHARE = 1e-4
FEWEST_TURNS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """References made ready for one iteration: K classes at S shifts, all turns.

    Shifts are those of the *reference*, before it is turned: the particles need no copies, and at
    every turn the disc of shifts covers the same disc. ``reference`` ``(h, r, K·S)`` conjugate and
    weighted; ``penalty`` ``(r, K)``; ``components`` ``(r,)``: independent ones a
    ring; ``turns_rad`` ``(T,)``; ``cosines``, ``sines`` ``(h, T)``;
    ``log_prior`` ``(K, S)``.
    """

    reference: Tensor
    penalty: Tensor
    components: Tensor
    log_prior: Tensor
    shifts_px: Tensor
    turns_rad: Tensor
    cosines: Tensor
    sines: Tensor

    @property
    def rings(self) -> int:
        """Rings compared."""
        return self.reference.shape[1]

    @property
    def harmonics(self) -> int:
        """Harmonics compared, the zeroth included."""
        return self.reference.shape[0]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.log_prior.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What one batch of n particles is found to be.

    ``by_class`` ``(n, K)`` probabilities; ``turned`` ``(h, n, K·S)``: Σ over turns of
    probability · exp(imψ), with which the particles' harmonics enter the averages; of the single
    most probable place: its class's average turned by ``turn_rad`` and moved by ``shift_px``
    ``(n, 2)`` is the particle; ``top`` its probability; ``log_evidence`` ``(n,)``;
    ``significant`` ``(n,)``: how many classes and shifts hold more than `LEAST_SHARE`;
    ``misfit`` ``(n,)``: what is left of the particle there, over what its noise would leave.
    """

    by_class: Tensor
    turned: Tensor
    turn_rad: Tensor
    shift_px: Tensor
    top: Tensor
    log_evidence: Tensor
    significant: Tensor
    misfit: Tensor


def prepared_search(grid: PolarGrid, references: References, stage: Stage) -> Search:
    """Return the references at all shifts of the stage, with everything constant worked out.

    Log-likelihood of a particle X under a reference A: −½ Σ |X − CTF·A|² / σ² over the independent
    Fourier components, of which a ring of radius k has 2πk times the mask's share. Where A is an
    average, its own noise adds to |A|² and would count against small classes (and is why plain
    maximum likelihood leaves one class with everything at low contrast): its known expectation is
    taken off.
    """
    device = grid.radii.device
    rings = stage.rings
    harmonics = grid.highest_harmonic(rings) + 1
    turns = max(FEWEST_TURNS, 2 * (harmonics - 1))
    shifts = shift_grid(stage.shift_reach_px, stage.shift_step_px, device)
    classes = references.averages.shape[0]
    components = 2 * pi * grid.radii[:rings] * (grid.mask_share * stage.sharpness)
    half = grid.half_circle(references.averages[:, :rings])
    moved = grid.harmonics(half[:, None] * grid.ramps(shifts)[None, :, :rings])[..., :harmonics]
    reference = (moved.conj() * components[:, None]).permute(3, 2, 0, 1)
    true_power = grid.power(references.averages) - references.variance
    order = torch.arange(harmonics, device=device)
    turns_rad = torch.arange(turns, device=device) * (2 * pi / turns)
    weight = torch.full((harmonics, 1), 2.0, device=device)
    weight[0] = 1.0
    share = references.members.clamp(min=1.0) / references.members.sum().clamp(min=1.0)
    near = -(shifts**2).sum(dim=1) / (2 * SHIFT_SIGMA_PX**2)
    return Search(
        reference=reference.reshape(harmonics, rings, classes * len(shifts)).contiguous(),
        penalty=(0.5 * components * true_power[:, :rings]).T.contiguous(),
        components=components,
        log_prior=(1.0 - stage.flatness) * torch.log(share)[:, None] + near[None, :],
        shifts_px=shifts,
        turns_rad=turns_rad,
        cosines=weight * torch.cos(order[:, None] * turns_rad),
        sines=weight * torch.sin(order[:, None] * turns_rad),
    )


def expected(batch: PolarBatch, search: Search, inverse_noise: Tensor) -> Posterior:
    """Return the posterior of one batch; ``inverse_noise`` ``(n, R)`` is 1/σ² of each particle."""
    n, classes, rings = len(batch.indices), search.classes, search.rings
    places, turns = search.log_prior.shape[1], len(search.turns_rad)
    whitened = batch.weighted[: search.harmonics, :, :rings] * inverse_noise[None, :, :rings]
    product = torch.bmm(whitened, search.reference).reshape(search.harmonics, -1)
    logs = product.real.T @ search.cosines
    logs.addmm_(product.imag.T, search.sines, alpha=-1.0)
    logs = logs.reshape(n, classes, places, turns)
    constant = (batch.ctf2[:, :rings] * inverse_noise[:, :rings]) @ search.penalty
    logs += (search.log_prior[None] - constant[:, :, None])[..., None]
    flat = logs.reshape(n, -1)
    top, where = flat.max(dim=1)
    gained = top - search.log_prior.reshape(-1)[where // turns]
    weights = flat.sub_(top[:, None]).exp_()
    total = weights.sum(dim=1)
    weights /= total[:, None]
    rows = weights.reshape(-1, turns)
    share = rows.sum(dim=1)
    chosen = torch.nonzero(share > LEAST_SHARE)[:, 0]
    turned = torch.zeros(
        search.harmonics, n * classes * places, dtype=torch.complex64, device=logs.device
    )
    halved = 0.5 * rows[chosen]
    real, imaginary = halved @ search.cosines.T, halved @ search.sines.T
    real[:, 0] *= 2.0  # the weights of 2 for the orders above 0 are not wanted here
    turned[:, chosen] = torch.complex(real, imaginary).T
    alone = (batch.power[:, :rings] * inverse_noise[:, :rings]) @ search.components
    turn = search.turns_rad[where % turns]
    shift = search.shifts_px[(where // turns) % places]
    cosine, sine = torch.cos(turn), torch.sin(turn)
    share = share.reshape(n, classes, places)
    return Posterior(
        by_class=share.sum(dim=2),
        turned=turned.reshape(search.harmonics, n, classes * places),
        turn_rad=turn,
        shift_px=torch.stack(
            [
                shift[:, 0] * cosine - shift[:, 1] * sine,
                shift[:, 0] * sine + shift[:, 1] * cosine,
            ],
            dim=1,
        ),
        top=1.0 / total,
        log_evidence=top + torch.log(total),
        significant=(share > LEAST_SHARE).sum(dim=(1, 2)),
        misfit=(alone - 2.0 * gained) / search.components.sum(),
    )
