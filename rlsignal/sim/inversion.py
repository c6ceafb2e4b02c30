"""The inversion map: where GRPO turns the order of checkpoints, and which property of the start does it.

Every number is an outcome V: pass@1 after a stated budget, from starts of controlled pass@1, entropy and dispersion.
A draw (the random prompts, and the training key) is shared by all cells, so differences are paired.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, nn

from rlsignal import _validate
from rlsignal.inference.ranking import LEAST_LOSS, Inversions, inversions, paired_estimate, variance_explained
from rlsignal.results import INDEPENDENT_STARTS, Control, Face, InversionMap
from rlsignal.sim.jumping import jump, jumps
from rlsignal.sim.meanfield import flow, leap
from rlsignal.sim.runner import Runner, take
from rlsignal.sim.starts import (
    WITHIN,
    beta_log_odds,
    most_inside,
    reward_entropy,
    shaped_logits,
    sharpened_logits,
    two_point_log_odds,
)
from rlsignal.sim.sweep import alike, cross, sweep
from rlsignal.sim.tabular import Metrics, Recipe, Setting, log_pass_rates, measure_tabular, train_tabular
from rlsignal.theory.dynamics import reachable_pass_rate
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO


class Starts(NamedTuple):
    """Policies to train from, for every start [S] and draw [D]; jax arrays inside a Build, numpy outside."""

    logits: Any  # [S, D, prompts, responses]; NaN where no such start exists
    pass_rate: Any  # [S, D, prompts]
    collision: Any  # [S, D, prompts], kappa_C + kappa_I
    metrics: Any  # Metrics [S, D]


@dataclass(frozen=True)
class Build:
    """The experiment that makes one start. Hashable by value, as `Train` is, so that equal ones compile once."""

    recipe: Recipe
    family: Literal["sharpened", "shaped"]  # a name, so that it travels to workers
    temperature: float = 1.0  # of the rollouts, whose pass rates and collisions these are; metrics are at 1

    def __call__(self, key: Array, *numbers: Array) -> Starts:
        builder = sharpened_logits if self.family == "sharpened" else shaped_logits
        logits = builder(key, self.recipe, *numbers)
        sampled = logits / self.temperature
        log_p, _ = log_pass_rates(sampled, self.recipe.correct)
        collision = collision_of(sampled, self.recipe.correct)
        start = Starts(logits, jnp.exp(log_p), collision, measure_tabular(logits, self.recipe))
        exists = jnp.isfinite(logits).all()
        return jax.tree.map(lambda x: jnp.where(exists, x, jnp.nan), start)


@dataclass(frozen=True)
class Odds:
    """The experiment that draws the prompts' log p/(1-p) [prompts] from Beta(mean, dispersion)."""

    recipe: Recipe

    def __call__(self, key: Array, mean: Array, dispersion: Array) -> Array:
        return beta_log_odds(key, self.recipe, mean, dispersion)


Way = Literal["sampled", "jumping", "mean field"]


@dataclass(frozen=True)
class Train:
    """The experiment that trains one start and returns its recorded Metrics, at temperature 1 as the start's."""

    recipe: Recipe
    way: Way

    def __call__(self, key: Array, logits: Array, setting: Setting) -> Metrics:
        if self.way == "mean field":
            follow = leap if setting.kl is None else flow
            return follow(logits, self.recipe, setting, measure=_measured)[1]
        way = jump if self.way == "jumping" else train_tabular
        return way(key, logits, self.recipe, setting, measure=_measured)[1]


def _measured(logits: Array, recipe: Recipe, temperature: Array) -> Metrics:
    return measure_tabular(logits, recipe)


def inversion_map(
    recipe: Recipe | None = None,
    *,
    group_sizes: Sequence[int] = (4, 8, 32),
    rollouts: int = 3200,
    pass_rates: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6),
    entropies: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.1, 1.6, 2.2),
    dispersions: Sequence[float] = (0.0, 0.3, 0.5, 0.7, 0.85, 0.93),
    estimator: Estimator = GRPO,
    learning_rate: float = 1.0,
    temperature: float = 1.0,
    kl: float = 0.0,
    draws: int = 8,
    seed: int = 0,
    sampled: bool = True,
    runner: Runner | None = None,
) -> InversionMap:
    """Simulate the map and its controls.

    Parameters
    ----------
    recipe : task, number of steps and optimizer; its group size and records are set here. Default `Recipe()`: 512
        prompts, 32 responses of which 2 correct, 400 steps of plain ascent. Under another optimizer and
        dynamic sampling all is sampled: mean field and law are of plain ascent.
    group_sizes : g of each map. The controls use the middle one.
    rollouts : per prompt, the second budget: rollouts / g steps. Each g must divide it.
    pass_rates, entropies : the grid of the sharpening face; entropies in nats.
    dispersions : rows of the dispersion face, with `pass_rates` as its columns.
    estimator, learning_rate, kl : of the training; kl weighs the KL divergence to the start, which the law leaves out.
    temperature : of the rollouts that are trained on; starts and outcomes are measured at 1.
    draws : of the prompts, at least 2; each trains with a key of its own.
    seed : of everything.
    sampled : whether to sample every cell of the sharpening face too, beside its mean field; controls always are.
    runner : how the map's sweeps are run; default `Runner()`.

    Returns
    -------
    InversionMap; starts that cannot exist are NaN in it.

    Raises
    ------
    ValueError : sizes out of range or given twice, fewer than two prompts, a grid with fewer than two values, rollouts
        that a g does not divide.

    Source: defined in docs/inversion.md.

    Examples
    --------
    >>> from rlsignal.sim import Recipe, inversion_map
    >>> result = inversion_map(Recipe(prompts=16, steps=10), group_sizes=(2, 4), rollouts=40, draws=2)
    >>> result.sharpening.outcome.shape  # group sizes, budgets, entropies, pass rates, draws
    (2, 2, 7, 6, 2)
    """
    recipe = recipe or Recipe()
    sizes = tuple(_validate.group_size(g) for g in group_sizes)
    if not sizes:
        raise ValueError("group_sizes must be at least one group size, got none.")
    if len(set(sizes)) < len(sizes):
        raise ValueError(f"group_sizes must differ, got {', '.join(map(str, sizes))}. Name each once.")
    _validate.whole("prompts", recipe.prompts, 2, way_out="The pass rates of one prompt have no dispersion.")
    draws = _validate.whole("draws", draws, 2, way_out="One draw says nothing of the noise.")
    _validate.whole("draws", draws, 2, 10**4)
    for g in sizes:
        if _validate.whole("rollouts", rollouts, g) % g:
            raise ValueError(f"rollouts must be a multiple of every group size, got {rollouts} and g = {g}.")
    columns = _grid("pass_rates", pass_rates, 1)
    key = jax.random.key(_validate.seed(seed))
    keys = _Keys(*_split(key, draws))
    training = {"learning_rate": learning_rate, "temperature": temperature, "kl": kl}
    plan = _Plan(recipe, sizes, rollouts, estimator, training, keys, runner)

    for g in sizes:  # what no cell could train with is an error before any start is built
        plan.trained(g).setting(estimator, **training)

    sharpening = _face(plan, "entropy", _grid("entropies", entropies, math.inf), columns, sampled=sampled)
    dispersion = _face(
        plan, "dispersion", _grid("dispersions", dispersions, 1, open_ends=False), columns, sampled=False
    )
    found, found_at_k, found_sampled = (
        [[_inversions(outcome, columns) for outcome in by_budget] for by_budget in outcomes]
        for outcomes in (sharpening.outcome, sharpening.outcome_at_k, sharpening.sampled)
    )
    return InversionMap(
        group_sizes=sizes,
        steps=recipe.steps,
        rollouts=rollouts,
        estimator=estimator.name,
        optimizer=recipe.optimizer_name + (" with dynamic sampling" if recipe.dynamic_sampling else ""),
        learning_rate=float(learning_rate),
        temperature=float(temperature),
        kl=float(kl),
        prompts=recipe.prompts,
        responses=recipe.responses,
        correct=recipe.correct,
        k=recipe.attempts[0],
        draws=draws,
        seed=seed,
        sharpening=sharpening,
        dispersion=dispersion,
        controls=_controls(plan),
        inverted_share=np.array([[pairs.share for pairs in row] for row in found]),
        share_at_k=np.array([[pairs.share for pairs in row] for row in found_at_k]),
        sampled_share=np.array([[pairs.share for pairs in row] for row in found_sampled]),
        noise_floor=np.array([[pairs.noise_floor for pairs in row] for row in found]),
        least=LEAST_LOSS,
        law_error=_law_error(sharpening),
        mean_field_error=_mean_field_error(sharpening) if recipe.plain else (math.nan, math.nan),
        explained=_explained(plan),
    )


class _Keys(NamedTuple):
    """One for each draw [D]; the starts of the sharpening family share theirs with nothing else."""

    starts: Array
    training: Array
    pass_rates: Array
    shapes: Array


@partial(jax.jit, static_argnums=1)  # eagerly these would be a dozen small programs to compile
def _split(key: Array, draws: int) -> tuple[Array, ...]:
    of_draws = jax.vmap(lambda draw: jax.random.split(jax.random.fold_in(key, draw)))(jnp.arange(draws))
    of_parts = jax.vmap(jax.random.split)(of_draws[:, 0])
    return of_draws[:, 0], of_draws[:, 1], of_parts[:, 0], of_parts[:, 1]


class _Plan(NamedTuple):
    """What all parts of one map share."""

    recipe: Recipe
    group_sizes: tuple[int, ...]
    rollouts: int
    estimator: Estimator
    training: dict[str, float]  # learning rate, temperature, kl
    keys: _Keys
    runner: Runner | None

    @property
    def middle(self) -> Recipe:
        """The recipe of the controls: the middle group size."""
        return self.trained(sorted(self.group_sizes)[len(self.group_sizes) // 2])

    @property
    def slab(self) -> int:
        """Starts that are built and held at once: some 64 MiB of logits, over all draws."""
        each = 4 * self.recipe.prompts * self.recipe.responses * len(self.keys.starts)
        return max(1, 2**26 // each)

    def budgets(self, g: int) -> tuple[int, int]:
        """Steps at equal steps, and at equal rollouts."""
        return self.recipe.steps, self.rollouts // g

    def trained(self, g: int) -> Recipe:
        """The recipe that runs for the longer budget and records at both."""
        budgets = self.budgets(g)
        return replace(self.recipe, group_size=g, steps=max(budgets), record_every=math.gcd(*budgets))

    def inside(self, pass_rate: Any) -> np.ndarray:
        """The most entropy inside the classes at this mean pass rate, nats."""
        return most_inside(np.asarray(pass_rate, np.float64), self.recipe)

    def sharpened(self, what: str, pass_rate: np.ndarray, entropy: np.ndarray) -> Starts:
        """Starts [S] of the sharpening family, with every draw of the prompts."""
        columns = (np.asarray(x, np.float32) for x in (pass_rate, entropy))
        cells = cross(self.keys.starts, *columns)
        build = Build(self.recipe, "sharpened", self.training["temperature"])
        return self._swept(f"{what}: starts", build, cells, len(pass_rate))

    def log_odds(self, what: str, mean: Any, dispersion: Any) -> Any:
        """log p/(1-p) [S, D, prompts] of Beta populations, with every draw of the prompts."""
        columns = [np.asarray(x, np.float32) for x in np.broadcast_arrays(mean, dispersion)]
        cells = cross(self.keys.pass_rates, *columns)
        return self._swept(f"{what}: pass rates", Odds(self.recipe), cells, len(columns[0]))

    def shaped(self, what: str, log_odds: Any, within_entropy: Any) -> Starts:
        """Starts [S] with these log p/(1-p) [S, D or 1, prompts] and entropy inside the classes [S, D or 1]."""
        draws = self.keys.shapes
        within = np.asarray(within_entropy, np.float32)
        count = max(len(log_odds), len(within))
        log_odds = np.broadcast_to(log_odds, (count, len(draws), self.recipe.prompts))
        within = np.broadcast_to(within, (count, len(draws)))
        (keys, _) = cross(draws, np.arange(count))
        cells = keys, log_odds.reshape(-1, self.recipe.prompts), within.ravel()
        return self._swept(f"{what}: starts", Build(self.recipe, "shaped", self.training["temperature"]), cells, count)

    def outcomes(self, what: str, starts: Starts, recipe: Recipe, *, sampled: bool, **changes: float) -> Any:
        """Every start trained: Metrics [S, D, records]. A draw of the prompts comes with a training key of its own."""
        setting = recipe.setting(self.estimator, **{**self.training, **changes})
        count = len(starts.logits)
        keys, settings = cross(self.keys.training, alike(setting, count))
        cells = keys, starts.logits.reshape(-1, *starts.logits.shape[2:]), settings
        sampled = sampled or not recipe.plain
        label = f"{what}: g={recipe.group_size}, {'sampled' if sampled else 'mean field'}"
        way: Way = "mean field" if not sampled else "jumping" if jumps(recipe, setting) else "sampled"
        return self._swept(label, Train(recipe, way), cells, count)

    def both(self, what: str, starts: Starts, recipe: Recipe, sampled: bool, **changes: float) -> Any:
        """Outcomes by the mean field, and pass@1 sampled, or NaN; without a mean field both are sampled."""
        field = self.outcomes(what, starts, recipe, sampled=False, **changes)
        if not recipe.plain:
            return field, field.pass_at_1
        if not sampled:
            return field, field.pass_at_1 * np.nan
        return field, self.outcomes(what, starts, recipe, sampled=True, **changes).pass_at_1

    def _swept(self, label: str, experiment: Callable[..., Any], cells: tuple[Any, ...], count: int) -> Any:
        flat = sweep(experiment, cells, label=label, runner=self.runner)
        return jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), flat)


def _face(plan: _Plan, knob: str, rows: np.ndarray, columns: np.ndarray, *, sampled: bool) -> Face:
    """Outcomes over rows x columns for every group size and both budgets; starts are built a slab at a time."""
    row, column = (x.ravel() for x in np.meshgrid(rows, columns, indexing="ij"))
    slabs = np.array_split(np.arange(len(row)), -(-len(row) // plan.slab))
    parts = []
    for i, at in enumerate(slabs):
        what = f"{knob} face" + (f" {i + 1} of {len(slabs)}" if len(slabs) > 1 else "")
        if knob == "entropy":
            starts = plan.sharpened(what, column[at], row[at])
        else:
            starts = plan.shaped(what, plan.log_odds(what, column[at], row[at]), [[WITHIN * plan.inside(0.0)]])
        parts.append(_outcomes(plan, what, starts, sampled=sampled))
    whole = {name: np.concatenate([part[name] for part in parts], axis=-2) for name in parts[0]}
    return Face(
        knob=knob,
        rows=rows,
        pass_rate=columns,
        entropy=whole.pop("entropy").mean(-1).reshape(len(rows), len(columns)),
        dispersion=whole.pop("dispersion").mean(-1).reshape(len(rows), len(columns)),
        **{
            name: values.reshape(len(plan.group_sizes), 2, len(rows), len(columns), -1)
            for name, values in whole.items()
        },
    )


def _outcomes(plan: _Plan, what: str, starts: Starts, *, sampled: bool) -> dict[str, np.ndarray]:
    """The fields of a Face for some starts: [G, B, S, D], and [S, D] for what belongs to the start."""
    parts: dict[str, list[Any]] = {"outcome": [], "outcome_at_k": [], "reached": [], "sampled": []}
    for g in plan.group_sizes:
        recipe = plan.trained(g)
        field, again = plan.both(what, starts, recipe, sampled)
        at = [steps // recipe.interval for steps in plan.budgets(g)]
        parts["outcome"].append([field.pass_at_1[..., i] for i in at])
        parts["outcome_at_k"].append([field.pass_at_k[..., i, 0] for i in at])
        parts["sampled"].append([again[..., i] for i in at])
        parts["reached"].append([_reached(plan, starts, g, steps) for steps in plan.budgets(g)])
    start = {"entropy": starts.metrics.entropy, "dispersion": starts.metrics.dispersion}
    return {name: np.array(values, np.float64) for name, values in (*parts.items(), *start.items())}


def _reached(plan: _Plan, starts: Starts, g: int, steps: int) -> np.ndarray:
    """What the reachability law predicts of each start and draw: the share of prompts with p above p_c."""
    if not plan.recipe.plain:
        return np.full(starts.collision.shape[:2], np.nan)
    exists = np.isfinite(starts.collision)
    collision = np.clip(np.where(exists, starts.collision, 1.0).astype(np.float64), 0, 2)  # 2 + an ulp rounds up
    budget = steps * plan.training["learning_rate"] / plan.training["temperature"] ** 2
    critical = reachable_pass_rate(g, plan.estimator, budget=budget, collision=collision)
    return np.where(exists.all(-1), (starts.pass_rate > critical).mean(-1), np.nan)


def _inversions(outcome: np.ndarray, columns: np.ndarray) -> Inversions:
    rows, _, draws = outcome.shape
    return inversions(np.tile(columns, rows), outcome.reshape(-1, draws))


def _law_error(face: Face) -> np.ndarray:
    """Root mean square over the cells that exist, [G, B]."""
    error = (face.reached - face.outcome).mean(-1)
    exists = np.isfinite(error[0, 0])
    if not exists.any():
        return np.full(error.shape[:2], np.nan)
    return np.sqrt((error[..., exists] ** 2).mean(-1))


def _mean_field_error(face: Face) -> tuple[float, float]:
    field, sampled = face.outcome.mean(-1), face.sampled.mean(-1)
    distance = np.abs(field - sampled)
    ran = np.isfinite(distance)
    undecided = ran & (sampled > 0.05) & (sampled < 0.95)
    largest = float(distance[ran].max()) if ran.any() else math.nan
    return largest, float(distance[undecided].mean()) if undecided.any() else math.nan


MEAN, DISPERSION = 0.3, 0.7
"""The start that the controls vary: neither always nor never solved at the default budget."""

NATURAL_RATE = 0.005
"""The natural gradient moves log-odds by w_g(p) whatever p is, so its rate is small enough to leave prompts behind."""


def _controls(plan: _Plan) -> tuple[Control, ...]:
    """Which property of the start moves the outcome? Each control varies one and holds the rest."""
    most = plan.inside(MEAN)
    within = np.array([0.02, 0.25, 0.5, 0.75, 0.98]) * most
    dispersions = np.array([0.0, 0.3, 0.5, 0.7, 0.85, 0.93])
    lowest = np.array([1e-6, 1e-5, 1e-4, 1e-3, 1e-2])
    entropy = -MEAN * np.log(MEAN) - (1 - MEAN) * np.log1p(-MEAN) + 0.15 * most

    held = plan.log_odds("entropy control", [MEAN], DISPERSION)
    same_pass_rates = plan.shaped("entropy control", held, within[:, None])
    varied = plan.log_odds("dispersion control", MEAN, dispersions)
    same_entropy = plan.shaped("dispersion control", varied, entropy - reward_entropy(varied))
    two_points = np.stack([two_point_log_odds(plan.recipe, low, MEAN, DISPERSION) for low in lowest])[:, None]
    same_dispersion = plan.shaped("reach control", two_points, entropy - reward_entropy(two_points))
    pass_rates = f"every pass rate (mean {MEAN:g}, dispersion {DISPERSION:g})"
    found = (
        _control(
            plan, "entropy", "entropy inside the classes (nats)", pass_rates, within, same_pass_rates, plan.middle
        ),
        _control(
            plan,
            "dispersion",
            "dispersion",
            f"mean {MEAN:g} and entropy {entropy:.2f} nats, in Beta populations",
            dispersions,
            same_entropy,
            plan.middle,
        ),
        _control(
            plan,
            "reach",
            "lowest pass rate",
            f"mean {MEAN:g}, dispersion {DISPERSION:g} and entropy {entropy:.2f} nats, with two pass rates",
            lowest,
            same_dispersion,
            plan.middle,
        ),
    )
    if not plan.recipe.plain:
        return found
    natural = _control(
        plan,
        "natural gradient",
        "entropy inside the classes (nats)",
        f"{pass_rates}; learning rate {NATURAL_RATE:g}",
        within,
        same_pass_rates,
        replace(plan.middle, natural=True),
        learning_rate=NATURAL_RATE,
    )
    return *found, natural


def _control(
    plan: _Plan,
    name: str,
    varied: str,
    held: str,
    values: np.ndarray,
    starts: Starts,
    recipe: Recipe,
    **changes: float,
) -> Control:
    at = plan.recipe.steps // recipe.interval
    field, again = plan.both(f"{name} control", starts, recipe, True, **changes)
    outcome, sampled = field.pass_at_1[..., at], again[..., at]
    change, sampled_change = outcome[-1] - outcome[0], sampled[-1] - sampled[0]
    return Control(
        name=name,
        varied=varied,
        held=held,
        values=values,
        entropy=starts.metrics.entropy.mean(-1),
        dispersion=starts.metrics.dispersion.mean(-1),
        outcome=outcome,
        sampled=sampled,
        effect=paired_estimate(change),
        sampled_effect=paired_estimate(sampled_change),
    )


def _explained(plan: _Plan, count: int = INDEPENDENT_STARTS) -> tuple[float, float]:
    """Over independent starts, what a quadratic in pass@1 and entropy knows of the outcome, and one in dispersion.

    The starts fill a box of means, dispersions and entropies evenly, on a Kronecker lattice of the generalised golden
    ratio x^4 = x + 1, so they need no random numbers.
    """
    lattice = (np.arange(count)[:, None] / 1.2207440846 ** np.arange(1, 4)) % 1
    mean, rho = 0.05 + 0.55 * lattice[:, 0], 0.93 * lattice[:, 1]
    within = (0.02 + 0.96 * lattice[:, 2]) * plan.inside(mean)
    one_draw = plan._replace(keys=_Keys(*(take(keys, [0]) for keys in plan.keys)))
    starts = one_draw.shaped("independent", one_draw.log_odds("independent", mean, rho), within[:, None])
    at = plan.recipe.steps // plan.middle.interval
    outcome = one_draw.outcomes("independent", starts, plan.middle, sampled=False).pass_at_1[:, 0, at]
    fine = np.isfinite(outcome)
    entropy, dispersion = starts.metrics.entropy[fine, 0], starts.metrics.dispersion[fine, 0]
    return (
        variance_explained(outcome[fine], mean[fine], entropy),
        variance_explained(outcome[fine], mean[fine], dispersion),
    )


def _grid(name: str, values: Sequence[float], high: float, *, open_ends: bool = True) -> np.ndarray:
    grid = _validate.within(name, values, 0, high, open_ends=open_ends)
    if grid.ndim != 1 or len(grid) < 2 or np.any(np.diff(grid) <= 0):
        raise ValueError(f"{name} must be at least two rising numbers, got {values}. The map needs a grid.")
    return grid


def collision_of(logits: Array, correct: int) -> Array:
    """kappa_C + kappa_I of each prompt: the chance that two correct responses are the same one, and two incorrect."""
    classes = nn.softmax(logits[:, :correct]), nn.softmax(logits[:, correct:])
    return sum((jnp.sum(shares**2, -1) for shares in classes), start=jnp.zeros(len(logits)))
