"""Policies with a chosen pass@1 and entropy: where a simulated RL run starts from.

Two families. `from_pass_rates`: the distribution of pass rates over prompts, and the entropy inside the classes (which
of the correct responses, which of the incorrect ones), are separate knobs. `sharpened`: logits s z + b [correct], one
random z for all, where, as in supervised fine-tuning, one path moves pass@1, entropy and dispersion together.

Every builder is a bisection on monotone knobs, so it runs under jit and vmap; there an unreachable target gives NaN
logits. The public functions say what was reachable instead.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax, nn
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal.sim.tabular import Recipe, check, log_pass_rates, measure_tabular
from rlsignal.theory.distributions import Beta, Fixed, PassRate

TOLERANCE = 1e-3
"""How far a start may miss its pass@1, dispersion or entropy (nats) before it counts as unreachable."""

WITHIN = 0.3
"""Where entropy inside the classes is not what varies: its share of the most that there is, at the starts' mean for
evaluated checkpoints, and at mean 0 all over the map's face over dispersion, so that a row differs in one thing."""

_SHARPEST = 1e4

_compiled = partial(jax.jit, static_argnames="recipe")


def sharpened(key: Array, recipe: Recipe, *, pass_rate: float, entropy: float) -> Array:
    """A policy s z + b [correct], z standard normal, with this mean pass@1 and mean response entropy.

    Parameters
    ----------
    key : PRNG key of z, the draw of the prompts.
    recipe : sizes of the task.
    pass_rate : pass@1, mean over prompts, in (0, 1).
    entropy : of the response, nats, mean over prompts; in (0, `reachable_entropy`'s high end at equal pass rates].

    Returns
    -------
    logits [prompts, responses], correct responses first; both targets met to 1e-3.

    Raises
    ------
    ValueError : a target out of reach, with the region.

    Examples
    --------
    >>> import jax
    >>> from rlsignal.sim import Recipe, measure_tabular, sharpened
    >>> recipe = Recipe(prompts=64)
    >>> metrics = measure_tabular(sharpened(jax.random.key(0), recipe, pass_rate=0.3, entropy=1.0), recipe)
    >>> round(float(metrics.pass_at_1), 3), round(float(metrics.entropy), 3)
    (0.3, 1.0)
    """
    rate = _validate.scalar("pass_rate", _validate.within("pass_rate", pass_rate, 0, 1, open_ends=True))
    target = _validate.scalar("entropy", _validate.numbers("entropy", entropy))
    logits = sharpened_logits(key, recipe, rate, target)
    high = reachable_entropy(rate, recipe)[1]
    return _reached(logits, f"entropy must lie in (0, {high:.4g}] nats at pass@1 {rate:g} {_sizes(recipe)}", target)


def from_pass_rates(key: Array, recipe: Recipe, distribution: PassRate, *, within_entropy: float) -> Array:
    """A policy whose pass rates follow `distribution`, with this entropy inside the classes, whatever the pass rates.

    Parameters
    ----------
    key : PRNG key of the draw: the prompts' pass rates, and the shapes of their classes.
    recipe : sizes of the task.
    distribution : Beta(mean, dispersion), whose mean and dispersion this draw then has exactly, or Fixed(p) with p one
        number or one per prompt; all inside (0, 1).
    within_entropy : E[p H_C + (1-p) H_I] in nats, mean over prompts.

    Returns
    -------
    logits [prompts, responses], correct responses first: log p + log c_j, then log(1-p) + log d_j.

    Raises
    ------
    ValueError : a `Recorded` distribution, pass rates of 0 or 1, a dispersion that so few prompts cannot have, an
        entropy out of reach, with the region.

    Examples
    --------
    >>> import jax
    >>> from rlsignal import Beta
    >>> from rlsignal.sim import Recipe, from_pass_rates, measure_tabular
    >>> recipe = Recipe(prompts=64)
    >>> logits = from_pass_rates(jax.random.key(0), recipe, Beta(0.3, 0.5), within_entropy=1.0)
    >>> metrics = measure_tabular(logits, recipe)
    >>> [round(float(x), 3) for x in (metrics.pass_at_1, metrics.dispersion, metrics.within_entropy)]
    [0.3, 0.5, 1.0]
    """
    target = _validate.scalar("within_entropy", _validate.numbers("within_entropy", within_entropy))
    rates_key, shape_key = jax.random.split(key)
    log_odds = _log_odds(rates_key, recipe, distribution)
    logits = shaped_logits(shape_key, recipe, log_odds, target)
    low, high = reachable_entropy(nn.sigmoid(log_odds), recipe)
    mean = float(nn.sigmoid(log_odds).mean())
    return _reached(
        logits, f"within_entropy must lie in [0, {high - low:.4g}] nats at pass@1 {mean:.4g} {_sizes(recipe)}", target
    )


def temper(logits: Array, recipe: Recipe, *, entropy: float) -> Array:
    """The same pass rate on every prompt with another response entropy: each class is sharpened or flattened inside.

    Parameters
    ----------
    logits : [prompts, responses], correct responses first.
    recipe : sizes of the task.
    entropy : wanted response entropy, nats, mean over prompts; in `reachable_entropy`.

    Returns
    -------
    logits [prompts, responses] whose class shares c_j are replaced by c_j^s, normalised, one s for all prompts.

    Raises
    ------
    ValueError : an entropy out of reach, with the region.

    Examples
    --------
    >>> import jax
    >>> from rlsignal.sim import Recipe, measure_tabular, sharpened, temper
    >>> recipe = Recipe(prompts=64)
    >>> start = sharpened(jax.random.key(0), recipe, pass_rate=0.3, entropy=1.0)
    >>> before, after = measure_tabular(start, recipe), measure_tabular(temper(start, recipe, entropy=1.5), recipe)
    >>> bool(abs(before.pass_at_1 - after.pass_at_1) < 1e-6), round(float(after.entropy), 3)
    (True, 1.5)
    """
    target = _validate.scalar("entropy", _validate.numbers("entropy", entropy))
    check(logits, recipe)
    log_p, log_q = log_pass_rates(logits, recipe.correct)
    low, high = reachable_entropy(jnp.exp(log_p), recipe)
    tempered = _with_class_entropy(logits, log_p, log_q, recipe, target - low)
    mean = float(jnp.exp(log_p).mean())
    return _reached(
        tempered, f"entropy must lie in [{low:.4g}, {high:.4g}] nats at pass@1 {mean:.4g} {_sizes(recipe)}", target
    )


def reachable_entropy(pass_rates: ArrayLike, recipe: Recipe) -> tuple[float, float]:
    """The least and the most response entropy (nats, mean over prompts) that these pass rates allow.

    From E h_b(p), one response in each class, to that plus E[p log C + (1-p) log W], even classes of C and W.

    Examples
    --------
    >>> from rlsignal.sim import Recipe, reachable_entropy
    >>> low, high = reachable_entropy(0.5, Recipe(responses=16, correct=4))
    >>> round(low, 3), round(high, 3)
    (0.693, 2.629)
    """
    p = np.asarray(pass_rates, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        undecided = np.nan_to_num(-p * np.log(p)) + np.nan_to_num(-(1 - p) * np.log1p(-p))
    return float(undecided.mean()), float((undecided + most_inside(p, recipe)).mean())


def most_inside(pass_rate: Any, recipe: Recipe) -> Any:
    """The most entropy inside the classes at this mean pass rate, nats: both even. Array in, array out."""
    return pass_rate * np.log(recipe.correct) + (1 - pass_rate) * np.log(recipe.responses - recipe.correct)


@_compiled
def sharpened_logits(key: Array, recipe: Recipe, pass_rate: Array | float, entropy: Array | float) -> Array:
    """`sharpened` for jit and vmap: NaN logits where the targets are out of reach."""
    z = jax.random.normal(key, (recipe.prompts, recipe.responses))
    s, b = sharpening_knobs(z, recipe, pass_rate, entropy)
    logits = sharpened_by(z, recipe, s, b)
    metrics = measure_tabular(logits, recipe)
    return _nan_unless_close(logits, (metrics.pass_at_1, pass_rate), (metrics.entropy, entropy))


def sharpened_by(z: Array, recipe: Recipe, s: Array, b: Array) -> Array:
    """The sharpening family itself: s z + b [correct]."""
    is_correct = (jnp.arange(recipe.responses) < recipe.correct).astype(z.dtype)
    return s * z + b * is_correct[None]


def sharpening_knobs(z: Array, recipe: Recipe, pass_rate: Array | float, entropy: Array | float) -> tuple[Array, Array]:
    """The (s, b) with this mean pass@1 and mean entropy: at every s one b gives the pass@1; entropy falls with s."""

    def bias(s: Array) -> Array:
        free = nn.logsumexp(s * z[:, : recipe.correct], -1) - nn.logsumexp(s * z[:, recipe.correct :], -1)
        wanted = jnp.log(pass_rate) - jnp.log1p(-jnp.asarray(pass_rate))
        low, high = wanted - free.max(), wanted - free.min()
        return _bisect(lambda b: nn.sigmoid(free + b).mean() < pass_rate, low, high)

    def too_flat(log_s: Array) -> Array:
        s = jnp.exp(log_s)
        return measure_tabular(sharpened_by(z, recipe, s, bias(s)), recipe).entropy > entropy

    s = jnp.exp(_bisect(too_flat, jnp.log(1e-3), jnp.log(1e3)))
    return s, bias(s)


@_compiled
def beta_log_odds(key: Array, recipe: Recipe, mean: Array | float, dispersion: Array | float) -> Array:
    """log p/(1-p) of prompts drawn from Beta(mean, dispersion), [prompts]; NaN where no draw can have both.

    The ratio of two gammas is p/(1-p), exact in logs however rare. An affine map of the log-odds then gives this draw
    the mean and the dispersion asked for, so that starts are compared at equal ones.
    """
    mean, rho = jnp.asarray(mean, jnp.float32), jnp.maximum(jnp.asarray(dispersion, jnp.float32), 1e-6)
    size = (1 - rho) / rho
    draw = jax.vmap(lambda key, shape: jax.random.loggamma(key, shape, (recipe.prompts,)))  # as one: it compiles slowly
    correct, incorrect = draw(jax.random.split(key), jnp.stack([mean, 1 - mean]) * size)
    drawn = correct - incorrect

    def centred(log_scale: Array) -> Array:
        scaled = jnp.exp(log_scale) * drawn
        wanted = jnp.log(mean) - jnp.log1p(-mean)
        low, high = wanted - scaled.max(), wanted - scaled.min()
        return scaled + _bisect(lambda shift: nn.sigmoid(scaled + shift).mean() < mean, low, high)

    def dispersion_of(log_odds: Array) -> Array:
        p = nn.sigmoid(log_odds)
        return 1 - (p * nn.sigmoid(-log_odds)).mean() / (p.mean() * (1 - p.mean()))

    matched = centred(_bisect(lambda x: dispersion_of(centred(x)) < dispersion, jnp.float32(-5), jnp.float32(5)))
    return _nan_unless_close(matched, (nn.sigmoid(matched).mean(), mean), (dispersion_of(matched), dispersion))


def two_point_log_odds(recipe: Recipe, low: float, mean: float, dispersion: float) -> Array:
    """log p/(1-p) of prompts with two pass rates, the lower of them `low`; NaN where no such prompts exist.

    With h the higher one, (mean - low)(h - mean) = Var p = dispersion mean (1 - mean). Whole prompts cannot have every
    share, so the higher ones stand in pairs h - d, h + d with the d that makes mean and dispersion right.
    """
    prompts, variance = recipe.prompts, dispersion * mean * (1 - mean)
    share = (mean - low) ** 2 / (variance + (mean - low) ** 2)  # of the higher prompts, if they were all alike
    above = int(np.clip(np.ceil(share * prompts - 1e-3), 2, prompts - 1))
    height = low + (mean - low) * prompts / above
    missing = prompts * (variance + (mean - low) ** 2) - above * (height - low) ** 2
    pairs = above // 2
    apart = np.sqrt(max(missing, 0) / (2 * max(pairs, 1)))
    higher = height + apart * np.r_[np.ones(pairs), -np.ones(pairs), np.zeros(above % 2)]
    p = np.r_[higher, np.full(prompts - above, low)]
    if np.any((p <= 0) | (p >= 1)) or max(abs(p.mean() - mean), abs(p.var() - variance)) > TOLERANCE:
        p = np.full(prompts, np.nan)
    return jnp.asarray(np.log(p) - np.log1p(-p), jnp.float32)


@_compiled
def shaped_logits(key: Array, recipe: Recipe, log_odds: Array, within_entropy: Array | float) -> Array:
    """A policy with these log-odds of a correct response [prompts] and random class shapes of this entropy.

    For jit and vmap: NaN logits where the entropy is out of reach.
    """
    z = jax.random.normal(key, (recipe.prompts, recipe.responses))
    return _with_class_entropy(z, -nn.softplus(-log_odds), -nn.softplus(log_odds), recipe, within_entropy)


@_compiled
def _with_class_entropy(logits: Array, log_p: Array, log_q: Array, recipe: Recipe, target: Array | float) -> Array:
    """Logits with these log pass rates [prompts], classes sharpened by one s until E[p H_C + q H_I] is `target`."""

    def at(log_s: Array) -> Array:
        classes = logits[:, : recipe.correct], logits[:, recipe.correct :]
        inside = [nn.log_softmax(jnp.exp(log_s) * part) for part in classes]
        return jnp.concatenate([log_p[:, None] + inside[0], log_q[:, None] + inside[1]], -1)

    def too_flat(log_s: Array) -> Array:
        return measure_tabular(at(log_s), recipe).within_entropy > target

    built = at(_bisect(too_flat, jnp.log(1 / _SHARPEST), jnp.log(_SHARPEST)))
    return _nan_unless_close(built, (measure_tabular(built, recipe).within_entropy, target))


def _log_odds(key: Array, recipe: Recipe, distribution: PassRate) -> Array:
    """log p/(1-p) of the recipe's prompts under this distribution, checked."""
    if not isinstance(distribution, Fixed | Beta):
        raise ValueError(
            f"distribution must be Fixed or Beta, got {type(distribution).__name__}. Counts do not say "
            "how pass rates lie between them: fit Beta(mean, dispersion_for(mean, degenerate, g)) first."
        )
    mean = _validate.within(
        "pass rates", distribution.mean, 0, 1, open_ends=True, way_out="No finite logits give 0 or 1."
    )
    if mean.shape not in ((), (recipe.prompts,)) or (isinstance(distribution, Beta) and mean.ndim):
        raise ValueError(
            f"distribution must be one Beta, or Fixed with one pass rate or {recipe.prompts}, got shape {mean.shape}. "
            "Change the distribution or Recipe(prompts=...)."
        )
    if isinstance(distribution, Fixed):
        return jnp.broadcast_to(jnp.asarray(np.log(mean) - np.log1p(-mean), jnp.float32), (recipe.prompts,))
    dispersion = float(distribution.dispersion)
    log_odds = beta_log_odds(key, recipe, float(mean), dispersion)
    if bool(jnp.isnan(log_odds).any()):
        raise ValueError(
            f"dispersion must be one that {recipe.prompts} prompts of mean {float(mean):g} can have, got "
            f"{dispersion:g}. Take more prompts or less dispersion."
        )
    return log_odds


def reward_entropy(log_odds: ArrayLike) -> np.ndarray:
    """E h_b(p), nats, mean over prompts: numpy [..., prompts] -> [...]."""
    x = np.asarray(log_odds, np.float64)
    with np.errstate(invalid="ignore"):  # NaN is no prompt
        return (np.logaddexp(0, x) - x / (1 + np.exp(-x))).mean(-1)


def _bisect(rising: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where `rising` turns from true to false between low and high, to float32 accuracy."""

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        up = rising(middle)
        return jnp.where(up, middle, low), jnp.where(up, high, middle)

    low, high = lax.fori_loop(0, 30, halve, (jnp.asarray(low, jnp.float32), jnp.asarray(high, jnp.float32)))
    return (low + high) / 2


def _nan_unless_close(logits: Array, *pairs: tuple[Array, Array | float]) -> Array:
    close = jnp.all(jnp.stack([jnp.abs(jnp.asarray(got) - wanted) <= TOLERANCE for got, wanted in pairs]))
    return jnp.where(close, logits, jnp.nan)


def _reached(logits: Array, region: str, target: float) -> Array:
    if bool(jnp.isnan(logits).any()):
        raise ValueError(
            f"{region}, got {target:g}. Move it inside, off the edge, or change the responses; shares that are equal "
            "cannot be sharpened, and few prompts leave gaps."
        )
    return logits


def _sizes(recipe: Recipe) -> str:
    return f"with {recipe.correct} correct and {recipe.responses - recipe.correct} incorrect responses"
