"""Where GRPO would take checkpoints of your own: their evaluated pass rates as starts in the model of the map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax import Array, nn
from numpy.typing import NDArray
from scipy.special import betaln

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.inference.paired import FEWEST_SOLVED
from rlsignal.inference.plausible import beta_parameters, plausible_populations
from rlsignal.results import CheckpointEnds
from rlsignal.sim.meanfield import check_plain_ascent, leap
from rlsignal.sim.runner import Runner
from rlsignal.sim.starts import WITHIN, most_inside, shaped_logits
from rlsignal.sim.sweep import alike, sweep
from rlsignal.sim.tabular import Metrics, Recipe, Setting
from rlsignal.theory.distributions import Beta, Fixed, Mixture, PassRate, pass_rate
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO
from rlsignal.theory.recorded import Recorded

MOST_PROMPTS = 1024
"""Prompts that one draw follows; of a larger evaluation each draw follows others."""

MANY_UNSOLVED = 0.1
"""The share of prompts without a correct sample from which on it is said that their number within reach is assumed."""


@dataclass(frozen=True)
class FromPassRates:
    """The experiment that trains from given pass rates by the mean field. Hashable by value."""

    recipe: Recipe

    def __call__(self, key: Array, log_odds: Array, setting: Setting) -> Metrics:
        return leap(evenly_shaped(key, self.recipe, log_odds), self.recipe, setting)[1]


def evenly_shaped(key: Array, recipe: Recipe, log_odds: Array) -> Array:
    """A policy with these log-odds of a correct response [prompts], and the share `WITHIN` of the most entropy."""
    return shaped_logits(key, recipe, log_odds, WITHIN * most_inside(nn.sigmoid(log_odds).mean(), recipe))


def simulate_checkpoints(
    checkpoints: Mapping[str, PassRate],
    recipe: Recipe | None = None,
    *,
    estimator: Estimator = GRPO,
    learning_rate: float = 1.0,
    draws: int = 256,
    seed: int = 0,
    runner: Runner | None = None,
) -> CheckpointEnds:
    """What GRPO makes of evaluated checkpoints in the model of the map, with the uncertainty of their counts.

    Parameters
    ----------
    checkpoints : name -> pass rates, a distribution or numbers. Of a `Recorded` each draw takes every prompt's own,
        given its samples and a population that fits all of them (I12); of others `recipe.prompts` new prompts.
        Several Recorded hold the same prompts in the same order.
    recipe : task and number of steps; a Recorded brings its own number of prompts. Default `Recipe()`.
    estimator, learning_rate : of the training.
    draws : of the pass rates, at least 39: fewer do not reach the ends of a 95% interval.
    seed : of everything.
    runner : how the sweeps are run; default `Runner()`.

    Returns
    -------
    CheckpointEnds: pass@1 now and after training of every draw, and how sure the order is. Its uncertainty is that of
    the counts, for these prompts; not that of the model, which shares nothing between prompts and assumes how many
    responses there are and how even they are inside the classes. Without a correct sample all prompts may be within
    reach, or none: the end is then not known, and NaN.

    Raises
    ------
    ValueError : no checkpoints, a single prompt or one sample of each, different prompts, sizes out of range.

    Source: docs/theory.md (I7, I12, W1); coverage and calibration in docs/settings.md.

    Examples
    --------
    A little less pass@1, from prompts that are more alike:

    >>> from rlsignal.sim import Recipe, simulate_checkpoints
    >>> from rlsignal import Beta
    >>> ends = simulate_checkpoints({"base": Beta(0.3, 0.2), "tuned": Beta(0.35, 0.9)}, Recipe(prompts=64), draws=39)
    >>> ends.after.mean(1).round(1), float(ends.ahead[0, 1])
    (array([1. , 0.5]), 1.0)
    """
    recipe = recipe or Recipe()
    if not isinstance(checkpoints, Mapping) or not checkpoints:
        raise ValueError("checkpoints must be a mapping of names to pass rates, such as {'step 200': Recorded(c, n)}.")
    draws = _validate.whole("draws", draws, 39, way_out="Fewer do not reach the ends of a 95% interval.")
    seed = _validate.seed(seed)
    check_plain_ascent(recipe)
    named = {str(name): pass_rate(rates) for name, rates in checkpoints.items()}
    counted = {name: rates for name, rates in named.items() if isinstance(rates, Recorded)}
    _check_counts(counted)
    before, dispersion, after = (np.full((len(named), draws), np.nan) for _ in range(3))
    for i, (name, rates) in enumerate(named.items()):
        generator = np.random.default_rng([seed, i])  # of its own: samples of two checkpoints err independently
        p = draw_pass_rates(rates, generator, draws, recipe.prompts, name)
        before[i], dispersion[i] = p.mean(1), _dispersion(p)
        if name in counted and not counted[name].correct.any():
            continue
        p = _followed(p, seed)
        sized = replace(recipe, prompts=p.shape[1])
        setting = sized.setting(estimator, learning_rate=learning_rate)
        cells = jax.random.split(jax.random.key(seed), draws), log_odds(p), alike(setting, draws)
        metrics: Any = sweep(FromPassRates(sized), cells, label=f"checkpoint {name}", runner=runner)
        after[i] = np.clip(metrics.pass_at_1[:, -1], 0, 1)
    return CheckpointEnds(
        names=tuple(named),
        group_size=recipe.group_size,
        steps=recipe.steps,
        estimator=estimator.name,
        learning_rate=float(learning_rate),
        responses=recipe.responses,
        correct=recipe.correct,
        before=before,
        dispersion=dispersion,
        after=after,
        notes=(*(note for name, rates in counted.items() for note in _notes(name, rates)), *_unseen(counted)),
    )


def draw_pass_rates(rates: PassRate, generator: np.random.Generator, draws: int, prompts: int, name: str) -> Floats:
    """Pass rates that these may be, [draws, prompts].

    Of a `Recorded` every prompt's own, given its samples and a population that fits all of them (I12); of another
    distribution `prompts` new ones for each draw.
    """
    rates = pass_rate(rates)
    if isinstance(rates, Recorded):
        return _given_counts(rates, generator, draws)
    if np.ndim(rates.mean) and not isinstance(rates, Fixed):
        raise ValueError(f"{name} must be one distribution, got an array of {np.size(rates.mean)}.")
    return _drawn(rates, generator, (draws, prompts))


def _given_counts(data: Recorded, generator: np.random.Generator, draws: int) -> Floats:
    """A population for each draw, and of it every prompt's pass rate given its samples.

    Of one population alone, the likeliest, all prompts without a success would err together and unseen.
    """
    found = plausible_populations(data)
    which = generator.choice(len(found.weights), draws, p=found.weights)
    angles = found.angles[which] + found.widths[which] * (generator.random((draws, 3)) - 0.5)
    mean, dispersion, never = angles.T[..., None]
    a, b = beta_parameters(mean, dispersion)
    c, n = data.correct, data.samples
    p = generator.beta(np.maximum(a + c, 1e-9), np.maximum(b + n - c, 1e-9))
    none, share = np.exp(betaln(a, b + n) - betaln(a, b)), np.sin(never) ** 2
    unsolvable = (c == 0) & (generator.random(p.shape) * (share + (1 - share) * none) < share)
    return np.where(unsolvable, 0.0, p)


def _check_counts(counted: Mapping[str, Recorded]) -> None:
    sizes = {name: len(x.correct) for name, x in counted.items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{size} in {name}" for name, size in sizes.items())
        raise ValueError(
            f"checkpoints must hold the same prompts in the same order, got {shown}. Leave out what one of them lacks."
        )
    for name, x in counted.items():
        if sizes[name] < 2:
            raise ValueError(f"checkpoint {name}: it must hold at least two prompts, got {sizes[name]}. Evaluate more.")
        if x.samples.max() < 2:
            raise ValueError(
                f"checkpoint {name}: samples must be at least 2 on some prompts, got 1 on all. Ends hang on how much "
                "prompts differ, and one sample of each does not show it: sample some of them again."
            )


def _notes(name: str, data: Recorded) -> Iterator[str]:
    solved, prompts = int((data.correct > 0).sum()), len(data.correct)
    if solved == 0:
        yield (
            f"{name}: none of its {data.samples.sum()} samples is correct, so all of its prompts may be within reach "
            "of RL, or none: its end is not known. Sample more prompts, or more of each."
        )
    elif solved < min(FEWEST_SOLVED, prompts):
        yield (
            f"{name}: its correct samples are of {solved} of {prompts} prompts. How rarely the others are solved "
            "decides its end, and so few hardly show it: sample more prompts, or more of each."
        )
    if prompts > MOST_PROMPTS:
        yield f"{name}: each draw follows {MOST_PROMPTS} of its {prompts} prompts, which widens its end's interval."


def _unseen(counted: Mapping[str, Recorded]) -> Iterator[str]:
    """Of checkpoints that solve some prompts and leave many: what decides their ends is not in the counts."""
    solved = {name: x.correct > 0 for name, x in counted.items()}
    enough = {name: x for name, x in solved.items() if x.sum() >= FEWEST_SOLVED and (~x).mean() >= MANY_UNSOLVED}
    shown = ", ".join(f"{(~x).mean():.0%} in {name}" for name, x in enough.items())
    if shown:
        yield (
            f"Prompts without a correct sample: {shown}. Ends hang on how many of them are within reach of RL. Their "
            "samples do not show it; the shape that is assumed for the pass rates does."
        )


def _followed(p: Floats, seed: int) -> Floats:
    """At most `MOST_PROMPTS` prompts of each draw, others in each and the same ones of every checkpoint."""
    prompts = p.shape[1]
    if prompts <= MOST_PROMPTS:
        return p
    generator = np.random.default_rng(seed)
    return np.stack([row[generator.choice(prompts, MOST_PROMPTS, replace=False)] for row in p])


def _dispersion(p: Floats) -> Floats:
    """Of the prompts of each draw, [draws]; 0 where all are certain and alike."""
    mean = p.mean(1)
    most = mean * (1 - mean)
    return np.divide(p.var(1), most, out=np.zeros(len(p)), where=most > 0)


def _drawn(rates: Fixed | Beta | Mixture, generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    if isinstance(rates, Fixed):
        return np.asarray(generator.choice(np.ravel(rates.mean), shape))
    if isinstance(rates, Beta):
        mean, rho = float(rates.mean), float(rates.dispersion)
        if rho == 0:
            return np.full(shape, mean)
        if rho == 1:  # always or never solved
            return np.asarray(generator.random(shape) < mean, np.float64)
        size = 1 / rho - 1
        return np.asarray(generator.beta(mean * size, (1 - mean) * size, shape))
    part, found = generator.choice(len(rates.parts), shape, p=np.asarray(rates.weights)), np.empty(shape)
    for i, inner in enumerate(rates.parts):
        found[part == i] = _drawn(inner, generator, (int((part == i).sum()),))
    return found


def log_odds(p: Floats) -> NDArray[np.float32]:
    """log p/(1-p) as float32 holds it; what is 0 or 1 is as good as never or always solved."""
    inside = np.clip(p, 1e-12, 1 - 1e-7)
    return np.asarray(np.log(inside) - np.log1p(-inside), np.float32)
