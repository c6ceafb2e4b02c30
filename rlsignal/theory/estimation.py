"""From what was measured back to what explains it."""

from rlsignal import _validate
from rlsignal.theory.passrates import Beta


def dispersion_for(mean: float, degenerate: float, g: int) -> float:
    """The dispersion at which a Beta population with this mean has this degenerate fraction (I1).

    A training log prints both numbers (mean reward and the fraction of groups with zero s.d.); with the dispersion
    every other group size can be answered. It undoes `degenerate_probability(Beta(mean, dispersion), g)`.

    Parameters
    ----------
    mean : mean binary reward, in (0, 1).
    degenerate : fraction of groups in which all rewards agree.
    g : group size of the run, at least 2.

    Returns
    -------
    float in [0, 1].

    Raises
    ------
    ValueError : out of range; also a degenerate fraction below that of identical prompts, which no spread explains.

    Source: inverts D3; docs/theory.md (I1).

    Examples
    --------
    >>> round(dispersion_for(0.2812, 0.542, 8), 3)
    0.542
    """
    g = _validate.group_size(g)
    mean = _validate.scalar("mean", _validate.within("mean", mean, 0, 1, open_ends=True))
    alike = _degenerate(mean, 0.0, g)
    way_out = (
        f"At mean {mean:g} and g = {g} identical prompts already agree that often, and differing ones more often. "
        "Average over more steps, or check that groups are counted, not batches."
    )
    rounding = 1 - 1e-12
    fraction = _validate.scalar(
        "degenerate", _validate.within("degenerate", degenerate, alike * rounding, 1, way_out=way_out)
    )
    if fraction <= alike:
        return 0.0
    from scipy.optimize import brentq

    return float(
        brentq(lambda rho: _degenerate(mean, rho, g) - fraction, 0.0, 1.0, xtol=1e-300, rtol=1e-15, maxiter=5000)
    )


def _degenerate(mean: float, dispersion: float, g: int) -> float:
    what = Beta(mean, dispersion)
    return float(what.all_correct(g) + what.all_wrong(g))
