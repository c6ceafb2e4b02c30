"""Which populations of pass rates the counts of an evaluation allow: a posterior on a grid."""

from typing import NamedTuple

import numpy as np
from scipy.special import betaln

from rlsignal._validate import Floats
from rlsignal.theory.recorded import Counts, Recorded, recorded

CELLS = 40, 40, 16
"""Of the grid, in mean, dispersion and the share that is never solved."""

NEGLIGIBLE = 12.0
"""Nats below the likeliest population from which on one is left out: it has 6e-6 of its weight."""


class Populations(NamedTuple):
    """Cells of a grid over populations, and the weight of each (I12): a Beta, but for a share that is never solved.

    angles : [cells, 3], middles of the cells. Their squared sines are the Beta's mean, its dispersion and the share.
    widths : [cells, 3], of each cell in the three angles; 0 in the last where no prompt is never solved.
    weights : [cells], of sum 1.
    """

    angles: Floats
    widths: Floats
    weights: Floats


def plausible_populations(data: Recorded) -> Populations:
    """The posterior of the population that recorded counts come from (I12).

    A population is a Beta and a share of prompts that are never solved, which few samples do not tell from rarely
    solved. At even odds the prior has no such share. It is even in the angles whose squared sines the numbers are,
    which is Jeffreys' of a proportion, so the answer has a width also where the likeliest dispersion is 0 or 1, and
    where all samples are alike. The grid narrows until the populations that count fill it. Against integrals it held to
    four digits for 1,000 to 5,000 prompts of 4 and 8 samples; of tens of thousands with 2 samples each it can lose a
    part of their narrow ridge.

    Parameters
    ----------
    data : the samples; their number may differ between prompts.

    Raises
    ------
    ValueError : data that is no `Recorded`.

    Source: derived in docs/theory.md (I12); coverage in docs/settings.md.

    Examples
    --------
    Twelve prompts that are correct in all of 4 samples do not make a mean of 1:

    >>> import numpy as np
    >>> from rlsignal import Recorded
    >>> from rlsignal.inference import plausible_populations
    >>> found = plausible_populations(Recorded([4] * 12, 4))
    >>> mean = np.sin(found.angles[:, 0]) ** 2
    >>> [round(float(found.weights @ (mean < x)), 2) for x in (0.9, 0.95, 0.99)]
    [0.05, 0.13, 0.43]
    """
    data = recorded("data", data)
    kinds, prompts = np.unique(np.stack([data.correct, data.samples], 1), axis=0, return_counts=True)
    grids = [_narrowed(kinds, prompts, cells) for cells in ((*CELLS[:2], 1), CELLS)]
    angles, widths, logs = (np.concatenate(x) for x in zip(*grids, strict=True))
    weights = np.exp(logs - logs.max())
    return Populations(angles, widths, weights / weights.sum())


def beta_parameters(mean: Floats, dispersion: Floats) -> tuple[Floats, Floats]:
    """a and b of the Beta with these angles. A dispersion below 1e-8 is as good as that: betaln has no more digits."""
    size = np.minimum(np.tan(dispersion) ** -2.0, 1e8)
    return np.sin(mean) ** 2 * size, np.cos(mean) ** 2 * size


def _narrowed(kinds: Counts, prompts: Counts, cells: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Angles and widths of cells, and the logs of prior times likelihood; a lone cell of the share is the share 0."""
    several = np.array(cells) > 1
    box = np.outer([0.0, 1.0], np.where(several, np.pi / 2, 0.0))
    while True:
        width = (box[1] - box[0]) / cells
        axes = [low + w * (np.arange(count) + 0.5) for low, w, count in zip(box[0], width, cells, strict=True)]
        angles = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        logs = _log_likelihood(kinds, prompts, *axes).ravel()
        likely = angles[logs > logs.max() - NEGLIGIBLE]
        inner = np.clip([likely.min(0) - width, likely.max(0) + width], *box)
        if (inner[1] - inner[0] >= (box[1] - box[0]) / 2).all():
            prior = np.prod(width[several] / (np.pi / 2))  # of a cell
            return angles, np.broadcast_to(width, angles.shape), logs + np.log(prior)
        box = inner


def _log_likelihood(kinds: Counts, prompts: Counts, mean: Floats, dispersion: Floats, never: Floats) -> Floats:
    """Of the counts, [mean, dispersion, never], by the angles of each; `prompts` are of each kind (c, n)."""
    a, b = beta_parameters(mean[:, None], dispersion)
    with np.errstate(divide="ignore"):
        log_never, log_other = np.log(np.sin(never) ** 2), np.log(np.cos(never) ** 2)
    none, total = betaln(a, b), np.zeros((*a.shape, len(never)))
    for (c, n), count in zip(kinds, prompts, strict=True):
        chance = (betaln(a + c, b + n - c) - none)[..., None] + log_other
        total += count * (chance if c else np.logaddexp(chance, log_never))
    return total
