"""A run with its noise: against every group, drawn runs, the flow and the simulator; the best sizes of a budget."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import betaincinv, expit, logit

from rlsignal import DR_GRPO, GRPO, MAXRL, RLOO, Beta, Estimator, Mixture, Recorded
from rlsignal.sim.tabular import Recipe, train_tabular
from rlsignal.theory import Fixed, forecast, group_size_for_budget, pass_rate_after

after_groups = partial(pass_rate_after, step=1, collision=2)


@pytest.mark.parametrize("estimator", [GRPO, RLOO, DR_GRPO, MAXRL], ids=lambda estimator: estimator.name)
@pytest.mark.parametrize("p", [1e-4, 0.05, 0.5, 0.9])
def test_every_pair_of_groups(estimator, p):
    """Both groups of three by all 64 strings, the second drawn from the policy that the first one left."""
    g, want = 3, 0.0
    for first in product((0, 1), repeat=g):
        now = moved(p, first, estimator)
        for second in product((0, 1), repeat=g):
            chance = np.prod([p if r else 1 - p for r in first] + [now if r else 1 - now for r in second])
            want += chance * moved(now, second, estimator)
    assert after_groups(p, g, estimator, visits=2) == pytest.approx(want, rel=1e-11)


def moved(p, rewards, estimator):
    """A softmax over two responses, after a step on the group's mean of A grad log pi."""
    logits = np.array([np.log(p), np.log1p(-p)])
    policy, group = np.exp(logits), np.array(rewards)
    for advantage, reward in zip(estimator.advantages(group), group, strict=True):
        logits = logits + advantage / len(group) * ((np.arange(2) != reward) - policy)
    return np.exp(logits[0]) / np.exp(logits).sum()


@pytest.mark.parametrize("estimator", [GRPO, RLOO], ids=lambda estimator: estimator.name)
def test_drawn_runs(estimator):
    """64 visits of a prompt that is solved once in fifty; the flow is rejected."""
    rng, x = np.random.default_rng(0), np.full(100_000, logit(0.02))
    push = np.arange(9) * estimator.table(8)[1] / 8
    for _ in range(64):
        x = x + 2 * push[rng.binomial(8, expit(x))]
    error = expit(x).std() / np.sqrt(len(x))
    assert abs(after_groups(0.02, 8, estimator, visits=64) - expit(x).mean()) < 5 * error
    assert abs(forecast(0.02, 8, estimator, budget=64, collision=2) - expit(x).mean()) > 10 * error


@pytest.mark.parametrize("p", [Beta(0.2, 0.3), Mixture([Fixed(0.0), Beta(0.3, 0.2)], [0.3, 0.7])])
def test_many_small_steps_are_the_flow(p):
    flow = forecast(p, 8, GRPO, budget=50)
    gaps = [abs(pass_rate_after(p, 8, GRPO, visits=50 * k, step=1 / k) - flow) for k in (8, 64)]
    assert gaps[1] < gaps[0] / 6
    assert gaps[1] < 1e-3


def test_a_population_is_its_prompts():
    p = betaincinv(0.2 * 7 / 3, 0.8 * 7 / 3, (np.arange(20_000) + 0.5) / 20_000)
    each = after_groups(p, 8, GRPO, visits=20)
    assert after_groups(Beta(0.2, 0.3), 8, GRPO, visits=20) == pytest.approx(each.mean(), abs=1e-6)
    assert after_groups(Beta(0.2, 0.3), 8, GRPO, visits=0) == pytest.approx(0.2, abs=1e-9)
    assert after_groups([0.0, 1.0], 8, GRPO, visits=20).tolist() == [0, 1]
    assert after_groups(Beta(0.2, 1.0), 8, GRPO, visits=20) == 0.2
    evaluation = Recorded([0, 2, 8, 3], 8)
    alike = Beta(evaluation.mean, evaluation.dispersion)
    assert after_groups(evaluation, 4, RLOO, visits=5) == after_groups(alike, 4, RLOO, visits=5)


@pytest.mark.parametrize("mean", [1e-6, 0.02, 0.3, 0.999])
@pytest.mark.parametrize("dispersion", [0.0, 1e-9, 1e-6, 1e-3, 0.02, 0.1, 0.9, 0.999])
def test_populations_narrow_and_wide(mean, dispersion):
    """Before any visit the mean is the population's; a narrow population ends where its mean does."""
    data = Beta(mean, dispersion)
    assert after_groups(data, 8, GRPO, visits=0) == pytest.approx(mean, rel=1e-5, abs=1e-8)
    if dispersion < 1e-5:
        assert after_groups(data, 8, GRPO, visits=4) == pytest.approx(after_groups(mean, 8, GRPO, visits=4), rel=1e-4)


@pytest.mark.slow
def test_the_simulator():
    """1024 prompts of the simulator; the flow is rejected."""
    recipe = Recipe(prompts=1024, responses=2, correct=1, group_size=4, steps=40)
    p = np.linspace(0.01, 0.2, 1024)
    logits = jnp.asarray(np.stack([np.log(p), np.log1p(-p)], -1), jnp.float32)
    run = jax.jit(lambda key: train_tabular(key, logits, recipe, recipe.setting(GRPO))[1].pass_at_1[-1])
    ends = np.array([run(key) for key in jax.random.split(jax.random.key(0), 16)])
    error = ends.std(ddof=1) / 4
    assert abs(ends.mean() - np.mean(after_groups(p, 4, GRPO, visits=40))) < 5 * error
    assert abs(ends.mean() - np.mean(forecast(p, 4, GRPO, budget=40, collision=2))) > 10 * error


@pytest.mark.parametrize("estimator", [GRPO, RLOO], ids=lambda estimator: estimator.name)
def test_at_one_learning_rate_two_rollouts_learn_fastest(estimator):
    p = np.linspace(0, 1, 101)
    for g in range(3, 129):
        assert np.all(np.asarray(estimator.weight(p, g)) / g <= 0.5 + 1e-12)
    for rollouts in (32, 512):
        found = group_size_for_budget(Beta(0.2, 0.3), estimator, rollouts=rollouts, step=1, scaling=0, largest=32)
        assert found.best == 2
        assert np.all(np.diff(found.pass_rates) < 0)


def test_with_the_square_root_rule_only_grpo_s_best_size_grows():
    def best(estimator):
        data = Beta(0.2, 0.3)
        return [group_size_for_budget(data, estimator, rollouts=n, step=1, largest=32).best for n in (32, 2048)]

    assert best(GRPO) == [4, 16]
    assert best(RLOO) == [2, 2]


def test_sizes_are_those_that_the_budget_has_room_for():
    assert group_size_for_budget(0.1, GRPO, rollouts=20, step=1).sizes.tolist() == [2, 4, 8, 16]
    assert group_size_for_budget(0.1, GRPO, rollouts=16, step=1, largest=9).sizes.tolist() == [2, 4, 8]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: after_groups(0.1, 8, GRPO, visits=-1), r"^visits must be at least 0, got -1"),
        (lambda: after_groups(0.1, 1024, GRPO, visits=1), r"^g must be at most 512, got 1024"),
        (lambda: pass_rate_after(0.1, 8, GRPO, visits=1, step=-1.0), r"^step must lie in \[0, 100\]"),
        (
            lambda: after_groups(0.1, 8, Estimator("sign", lambda K, g: 1.0, lambda K, g: -1.0), visits=1),
            r"^estimator must sum to zero in every group and not pay for failure, got 'sign'",
        ),
        (lambda: group_size_for_budget([0.1, 0.2], GRPO, rollouts=8, step=1), r"^p must be one pass rate"),
        (lambda: group_size_for_budget(0.1, GRPO, rollouts=1, step=1), r"^rollouts must be at least 2"),
        (lambda: group_size_for_budget(0.1, GRPO, rollouts=8, step=1, scaling=2), r"^scaling must lie in \[0, 1\]"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
