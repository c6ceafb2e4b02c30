"""Where GRPO would take checkpoints of your own: their evaluated pass rates as starts in the model of the map."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax import Array, nn
from numpy.typing import NDArray
from scipy.special import expit, logit

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.inference.population import BetaEstimate, beta_estimate
from rlsignal.results import CheckpointEnds
from rlsignal.sim.meanfield import check_plain_ascent, leap
from rlsignal.sim.runner import Runner
from rlsignal.sim.starts import shaped_logits
from rlsignal.sim.sweep import sweep
from rlsignal.sim.tabular import Metrics, Recipe, Setting
from rlsignal.theory.distributions import Beta, Fixed, Mixture, PassRate, pass_rate
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO
from rlsignal.theory.recorded import Recorded

MOST_PROMPTS = 1024
"""Prompts of one draw: of a larger evaluation so many are drawn, the same ones for every checkpoint."""

WITHIN = 0.3
"""Entropy inside the classes over the most there is; that of the map's face over dispersion."""


@dataclass(frozen=True)
class FromPassRates:
    """The experiment that trains from given pass rates by the mean field. Hashable by value."""

    recipe: Recipe

    def __call__(self, key: Array, log_odds: Array, setting: Setting) -> Metrics:
        return leap(evenly_shaped(key, self.recipe, log_odds), self.recipe, setting)[1]


def evenly_shaped(key: Array, recipe: Recipe, log_odds: Array) -> Array:
    """A policy with these log-odds of a correct response [prompts], and the share `WITHIN` of the most entropy."""
    p = nn.sigmoid(log_odds).mean()
    most = p * np.log(recipe.correct) + (1 - p) * np.log(recipe.responses - recipe.correct)
    return shaped_logits(key, recipe, log_odds, WITHIN * most)


def simulate_checkpoints(
    checkpoints: Mapping[str, PassRate],
    recipe: Recipe | None = None,
    *,
    estimator: Estimator = GRPO,
    learning_rate: float = 1.0,
    draws: int = 64,
    seed: int = 0,
    runner: Runner | None = None,
) -> CheckpointEnds:
    """What GRPO makes of evaluated checkpoints in the model of the map, with the uncertainty of their counts.

    Parameters
    ----------
    checkpoints : name -> pass rates, a distribution or numbers. Of a `Recorded` each draw takes every prompt's own
        from its posterior, under a Beta that fits all prompts; of others each draw takes `recipe.prompts` prompts.
    recipe : task and number of steps; a Recorded brings its own number of prompts. Default `Recipe()`.
    estimator, learning_rate : of the training.
    draws : of the pass rates, at least 8.
    seed : of everything.
    runner : how the sweeps are run; default `Runner()`.

    Returns
    -------
    CheckpointEnds: pass@1 now and after training of every draw, and how sure the order is. Its uncertainty is that of
    the counts, for these prompts; not that of the model, which shares nothing between prompts and assumes how many
    responses there are and how even they are inside the classes.

    Raises
    ------
    ValueError : no checkpoints, samples that say nothing of the prompts' differences, sizes out of range.

    Source: docs/theory.md (I7, W1); calibrated in docs/settings.md.

    Examples
    --------
    A little less pass@1, from prompts that are more alike:

    >>> from rlsignal.sim import Recipe, simulate_checkpoints
    >>> from rlsignal import Beta
    >>> ends = simulate_checkpoints({"base": Beta(0.3, 0.2), "tuned": Beta(0.35, 0.9)}, Recipe(prompts=64), draws=8)
    >>> ends.after.mean(1).round(1), float(ends.ahead[0, 1])
    (array([1. , 0.5]), 1.0)
    """
    recipe = recipe or Recipe()
    if not isinstance(checkpoints, Mapping) or not checkpoints:
        raise ValueError("checkpoints must be a mapping of names to pass rates, such as {'step 200': Recorded(c, n)}.")
    draws = _validate.whole("draws", draws, 8, way_out="Fewer say nothing of the uncertainty.")
    seed = _validate.whole("seed", seed, 0)
    check_plain_ascent(recipe)
    before, dispersion, after = (np.empty((len(checkpoints), draws)) for _ in range(3))
    for i, (name, rates) in enumerate(checkpoints.items()):
        generator = np.random.default_rng([seed, i])  # of its own: samples of two checkpoints err independently
        p = draw_pass_rates(rates, generator, draws, recipe.prompts, name)
        sized = replace(recipe, prompts=p.shape[1])
        setting = sized.setting(estimator, learning_rate=learning_rate)
        settings = jax.tree.map(lambda x: np.broadcast_to(x, (draws, *x.shape)), setting)
        cells = jax.random.split(jax.random.key(seed), draws), _log_odds(p), settings
        metrics: Any = sweep(FromPassRates(sized), cells, label=f"checkpoint {name}", runner=runner)
        before[i], dispersion[i] = metrics.pass_at_1[:, 0], metrics.dispersion[:, 0]
        after[i] = metrics.pass_at_1[:, -1]
    return CheckpointEnds(
        names=tuple(map(str, checkpoints)),
        group_size=recipe.group_size,
        steps=recipe.steps,
        estimator=estimator.name,
        learning_rate=float(learning_rate),
        responses=recipe.responses,
        correct=recipe.correct,
        before=before,
        dispersion=dispersion,
        after=after,
    )


def draw_pass_rates(rates: PassRate, generator: np.random.Generator, draws: int, prompts: int, name: str) -> Floats:
    """Pass rates that these may be, [draws, prompts].

    Of a `Recorded` every prompt's own, from its posterior under a Beta that fits all of them, for at most
    `MOST_PROMPTS` prompts, the same in every draw; of another distribution `prompts` new ones for each draw.
    """
    rates = pass_rate(rates)
    if isinstance(rates, Recorded):
        try:
            fit = beta_estimate(rates)
        except ValueError as error:
            raise ValueError(f"checkpoint {name}: {error}") from error
        mean, rho = _populations(fit, generator, draws)
        size = 1 / rho - 1
        c, n = (np.broadcast_to(x, np.shape(rates.correct)) for x in (rates.correct, rates.samples))
        some = np.sort(np.random.default_rng(0).permutation(len(c))[:MOST_PROMPTS])  # the same of every checkpoint
        above, below = mean * size + c[some], (1 - mean) * size + (n - c)[some]
        return np.asarray(generator.beta(np.maximum(above, 1e-9), np.maximum(below, 1e-9)))
    if np.ndim(rates.mean) and not isinstance(rates, Fixed):
        raise ValueError(f"{name} must be one distribution, got an array of {np.size(rates.mean)}.")
    return _drawn(rates, generator, (draws, prompts))


def _populations(fit: BetaEstimate, generator: np.random.Generator, draws: int) -> tuple[Floats, Floats]:
    """Means and dispersions that the population may have, [draws, 1] each: normal in log-odds about the fit.

    Taken at the fit alone, all prompts without a success would err together and unseen: 8 samples of 100 prompts would
    state 0.95 where 0.75 is right.
    """
    at = np.clip([fit.mean, fit.dispersion], 1e-4, 1 - 1e-4)
    slopes = 1 / (at * (1 - at))
    covariance = np.asarray(fit.covariance) * np.outer(slopes, slopes)
    if not np.isfinite(covariance).all():  # at an end there is no curvature to go by
        covariance = np.zeros((2, 2))
    drawn = expit(generator.multivariate_normal(logit(at), covariance, draws))
    return drawn[:, :1], np.clip(drawn[:, 1:], 1e-6, 1 - 1e-9)


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


def _log_odds(p: Floats) -> NDArray[np.float32]:
    """log p/(1-p) as float32 holds it; what is 0 or 1 is as good as never or always solved."""
    inside = np.clip(p, 1e-12, 1 - 1e-7)
    return np.asarray(np.log(inside) - np.log1p(-inside), np.float32)
