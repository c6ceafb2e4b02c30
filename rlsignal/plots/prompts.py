"""One prompt at a time: pass rates over training, when each takes off, and the flow over three answers."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.special import logit

from rlsignal import _validate
from rlsignal.plots.style import DARK, GREY, OCHRE, RED, finished, looks_of, on_axes
from rlsignal.theory.clock import escape_time
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO, MAXRL, RLOO

_RISING, _WAITING, _ABOVE, _LAW = DARK, OCHRE, "#b9c0c8", RED
_TICKS = (1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_EDGE = 2e-5
"""Pass rates nearer to 0 or 1 are drawn here: log-odds have no end."""


def plot_prompts(
    steps: ArrayLike, rates: ArrayLike, *, critical: ArrayLike | None = None, ax: Axes | None = None
) -> Axes:
    """Every prompt's pass rate over training, in log-odds: which took off, which still wait, and p_c.

    A prompt that starts below 1/2 took off if it ends above. The line at p_c, of all prompts' p_c the median in a band
    from the least to the largest, says which should; the key counts for how many it is wrong.

    Parameters
    ----------
    steps : [records], where rates were recorded.
    rates : [records, prompts], as a trainer of `sim` records them with measure=prompts_pass_rates.
    critical : p_c, a number or one for each prompt, as from `theory.reachable_pass_rate`.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError : shapes that do not fit, rates outside [0, 1].

    Examples
    --------
    Prompts of equal shares inside the classes, followed by the flow:

    >>> import numpy as np
    >>> from rlsignal import GRPO
    >>> from rlsignal.plots import plot_prompts
    >>> from rlsignal.theory import forecast, reachable_pass_rate
    >>> steps, starts = np.linspace(0, 200, 41), np.geomspace(3e-4, 0.3, 40)
    >>> rates = [forecast(starts, 8, GRPO, budget=float(t)) for t in steps]
    >>> plot_prompts(steps, rates, critical=reachable_pass_rate(8, GRPO, budget=200, collision=1.0)).get_ylabel()
    'pass rate of a prompt'
    """
    t, p = _recorded(steps, rates)
    ax = on_axes(ax)
    above, after = p[0] > 0.5, p[-1] > 0.5
    odds = logit(np.clip(p, _EDGE, 1 - _EDGE))
    kinds = (("above 1/2 from the start", _ABOVE, above), ("took off", _RISING, ~above & after))
    for name, colour, chosen in (*kinds, ("still below 1/2", _WAITING, ~above & ~after)):
        if not chosen.any():
            continue
        lines = [np.column_stack([t, y]) for y in odds.T[chosen]]
        label = f"{name}: {int(chosen.sum())}"
        ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.9, alpha=0.7, label=label))
        if colour == _WAITING:
            ax.plot(np.full(chosen.sum(), t[-1]), odds[-1, chosen], ">", color=colour, markersize=5, clip_on=False)
    if critical is not None:
        each = _of_each("critical", _validate.probability("critical", critical), p)
        wrong = int((~above & (after != (p[0] > each))).sum())
        low, middle, high = logit(np.clip(np.quantile(each, [0, 0.5, 1]), _EDGE, 1 - _EDGE))
        ax.axhspan(low, high, color=_LAW, alpha=0.15, linewidth=0)
        label = f"p_c: wrong on {wrong} of {int((~above).sum())}"
        ax.axhline(middle, color=_LAW, linestyle=":", linewidth=2, label=label)
    ax.set_yticks(logit(_TICKS), [f"{x:g}" for x in _TICKS])
    ax.set(xlim=(t[0], t[-1]), ylim=logit([_EDGE, 1 - _EDGE]), xlabel="step", ylabel="pass rate of a prompt")
    return finished(ax, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def plot_take_offs(
    steps: ArrayLike,
    rates: ArrayLike,
    g: int,
    estimator: Estimator = GRPO,
    *,
    learning_rate: float = 1.0,
    collision: ArrayLike = 1.0,
    ax: Axes | None = None,
) -> Axes:
    """The step at which each prompt passes 1/2 against the escape time from where it started (F2); on the line: right.

    The title states the law's error: observed over expected, the median and the middle 90%, over prompts that should
    pass within the run. Those that did not yet count as later than all others. Prompts that should pass before the
    second record are left out; those that should after more than ten such runs stand at the right edge.

    Parameters
    ----------
    steps, rates : as for `plot_prompts`.
    g, estimator, learning_rate : of the run.
    collision : kappa_C + kappa_I at the start, positive, a number or one for each prompt.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError : as `plot_prompts` and `escape_time`; no prompt that starts below 1/2 and should pass within the run.

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal import GRPO
    >>> from rlsignal.plots import plot_take_offs
    >>> from rlsignal.theory import forecast
    >>> steps, starts = np.linspace(0, 200, 41), np.geomspace(3e-4, 0.3, 40)
    >>> rates = [forecast(starts, 8, GRPO, budget=float(t)) for t in steps]
    >>> plot_take_offs(steps, rates, 8).get_title()
    'observed / expected: 1.00 [0.99, 1.01]'
    """
    t, p = _recorded(steps, rates)
    t = t - t[0]
    below = (p[0] > 0) & (p[0] < 0.5)
    rate = _of_each("collision", _validate.within("collision", collision, 1e-9, 2), p)[below]
    rate = rate * _validate.single("learning_rate", learning_rate)
    expected = np.array([escape_time(x, g, estimator) for x in p[0, below]]) / rate
    seen = expected >= t[1]
    expected, observed = expected[seen], _passes_half(t, p[:, below])[seen]
    due, passed = expected <= t[-1], np.isfinite(observed)
    if not due.any():
        raise ValueError(
            f"rates must hold a prompt that should pass 1/2 by step {t[-1]:g}, got none. Train for longer."
        )
    low, middle, high = (
        f"{ratio:.2f}" if np.isfinite(ratio) else "not yet"
        for ratio in np.quantile(observed[due] / expected[due], [0.05, 0.5, 0.95], method="nearest")
    )
    ax = on_axes(ax)
    ends = np.array([t[1] / 2, 10 * t[-1]])
    shown = np.minimum(expected, ends[1])
    ax.plot(ends, ends, color=GREY, linewidth=1, label="as the law says")
    for label, chosen, at, look, colour in (
        ("passed 1/2", passed, observed, "o", _RISING),
        ("not yet", ~passed, np.full(len(shown), t[-1]), "^", _WAITING),
    ):
        if chosen.any():
            ax.plot(shown[chosen], at[chosen], look, color=colour, markersize=5, label=label, clip_on=False)
    first = min(ends[0], observed.min() / 2)
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=(first, 2 * t[-1]))
    ax.set(xlabel="expected step (escape time)", ylabel="observed step")
    ax.set_title(f"observed / expected: {middle} [{low}, {high}]", fontsize=11)
    return finished(ax, loc="best")


def plot_simplex(g: int = 8, estimators: Sequence[Estimator] = (RLOO, GRPO, MAXRL)) -> Figure:
    """The flow w_g(p) grad p on policies over three answers, the correct one on top; colour: how fast p rises.

    A point of a triangle is a policy, a corner an answer that is given for sure. Arrows show directions alone.

    Parameters
    ----------
    g : group size.
    estimators : a triangle each.

    Returns
    -------
    Figure.

    Examples
    --------
    >>> from rlsignal.plots import plot_simplex
    >>> len(plot_simplex(8).axes)  # three triangles and the colours' scale
    4
    """
    looks, side = looks_of(estimators), 13
    points = [(i, j, side + 1 - i - j) for i in range(1, side) for j in range(1, side + 1 - i)]
    policies = np.array(points) / (side + 1)  # [points, answers]
    corners = np.array([[0.5, np.sqrt(0.75)], [0, 0], [1, 0]])
    size = (2.9 * len(estimators), 3.2)
    figure, axes = plt.subplots(1, len(estimators), figsize=size, layout="constrained", squeeze=False)
    for ax, estimator, (colour, _) in zip(axes[0], estimators, looks, strict=True):
        moved = _flow(policies, estimator, g)
        arrows = moved @ corners
        arrows /= np.linalg.norm(arrows, axis=1, keepdims=True)
        speed = np.maximum(moved[:, 0], 1e-4)
        drawn = ax.quiver(
            *(policies @ corners).T,
            *arrows.T,
            speed,
            cmap="cividis",
            norm="log",
            clim=(1e-3, 0.3),
            scale=16,
            width=0.011,
        )
        ax.plot(*corners[[0, 1, 2, 0]].T, color=GREY, linewidth=0.8)
        ax.text(0.5, 0.9, "correct", ha="center", fontsize=9)
        ax.text(0.5, -0.07, "two incorrect answers", ha="center", fontsize=9)
        ax.set_title(estimator.name, fontsize=11, color=colour, pad=12, parse_math=False)
        ax.set_aspect("equal")
        ax.axis("off")
    figure.colorbar(drawn, ax=axes[0].tolist(), label=f"dp/dt, g = {g}", shrink=0.8, extend="min")
    return figure


def _flow(policies: np.ndarray, estimator: Estimator, g: int) -> np.ndarray:
    """d pi/dt [points, answers] of softmax policies whose first answer is correct."""
    p = policies[:, :1]
    pushed = np.asarray(estimator.weight(p, g)) * p * (np.eye(policies.shape[1])[0] - policies)  # of the logits
    return policies * (pushed - (policies * pushed).sum(1, keepdims=True))


def _of_each(name: str, values: np.ndarray, p: np.ndarray) -> np.ndarray:
    """One value for each prompt of p [records, prompts]."""
    if values.shape not in ((), p.shape[1:]):
        raise ValueError(f"{name} must be one number or {p.shape[1]}, one for each prompt, got {list(values.shape)}.")
    return np.broadcast_to(values, p.shape[1:])


def _recorded(steps: ArrayLike, rates: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Steps [records] and pass rates [records, prompts], checked."""
    t, p = _validate.within("steps", steps, -np.inf, np.inf, open_ends=True), _validate.probability("rates", rates)
    if t.ndim != 1 or len(t) < 2 or (np.diff(t) <= 0).any():
        raise ValueError(f"steps must be at least two rising numbers, got {t.tolist()}.")
    if p.ndim != 2 or len(p) != len(t) or not p.size:
        raise ValueError(f"rates must be [records, prompts] with {len(t)} records, got {list(p.shape)}.")
    return t, p


def _passes_half(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The time at which each p [records, prompts] passes 1/2, in log-odds between records; inf if not."""
    odds = logit(np.clip(p, _EDGE, 1 - _EDGE))
    at = np.argmax(odds > 0, axis=0)
    each: Any = np.arange(p.shape[1])
    low, high = odds[at - 1, each], odds[at, each]
    with np.errstate(divide="ignore", invalid="ignore"):
        when = t[at - 1] + (t[at] - t[at - 1]) * low / (low - high)
    return np.where(at > 0, when, np.inf)
