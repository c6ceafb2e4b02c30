"""Every claim of the theory, as a row of data: a statistic of rewards, what the library says its mean is, a mistake.

No statistic uses the library's formulas or tables: it is one of `measured`, in which a variance is the variance of the
rewards and an advantage is what a framework computes from them. `verify` checks the rows by enumeration and by draws.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import asin, exp, log, sqrt
from typing import Any

import numpy as np

from rlsignal.inference.intervals import per_prompt_estimate
from rlsignal.inference.population import band
from rlsignal.proofs.enumeration import Statistic, beta, mean, push, rise, score, turn, variance
from rlsignal.proofs.measured import (
    after_a_group,
    after_two_groups,
    against,
    against_others,
    centred,
    correct_subsets,
    degenerate,
    halves,
    informative,
    kept_mean,
    magnitude,
    most_varied,
    only_if,
    others,
    over_subsets,
    per_success,
    per_token,
    root,
    squared,
    surprises,
    three_levels,
    token_mean,
    variance_over_groups,
    whitened,
    whitened_by_others,
    with_bonus,
    without_lone_peers,
)
from rlsignal.theory.budget import pass_rate_after
from rlsignal.theory.distributions import Beta, Fixed, Mixture
from rlsignal.theory.dynamics import discoverable_pass_rate, learning_speed
from rlsignal.theory.efficiency import Scores, signal_to_noise_cap, update_variance
from rlsignal.theory.entropy import Responses, reward_entropy
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.filters import (
    accepted_pmf,
    degenerate_again_probability,
    noisy_pass_rate,
    rollouts_per_accepted_group,
    screened,
    shortfall_probability,
)
from rlsignal.theory.frameworks import (
    DR_GRPO,
    GRPO,
    GRPO_NEMO,
    GRPO_OPENRLHF,
    GRPO_TRL,
    GRPO_VERL,
    MAXRL,
    MAXRL_UNCENTRED,
    RLOO,
    batch_standardised,
    pass_at_k_gradient,
    pass_at_k_training,
    posterior_baseline,
)
from rlsignal.theory.modified import down_sampled, filtered, length_weighted, under_noisy_verifier
from rlsignal.theory.passk import missed_mode_probability, pass_at_k, pass_at_k_weight
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.rewards import Levels, channel_weights, leave_one_out, level_weights
from rlsignal.theory.signal import (
    advantage_variance,
    advantage_variance_distribution,
    degenerate_probability,
    group_deviation,
    informative_group_bias,
    informative_probability,
    variance_of_advantage_variance,
)
from rlsignal.theory.thresholds import critical_dispersion, critical_pass_rate, dispersion_for, group_size_for


@dataclass(frozen=True)
class Claim:
    """One formula and what is held against it.

    Parameters
    ----------
    label, name : the label is the formula's anchor in docs/theory.md.
    at, g : where it is tried: a pass rate, a population or a function that finds one, and the rollouts drawn at a
        time.
    statistic : of the g rewards; its mean is the claim.
    formula, library : the claim in plain text, and as (p, g) -> what the public functions answer: the number, or
        several ways to the same number.
    wrong_formula, wrong : the nearest tempting mistake, likewise.
    """

    label: str
    name: str
    at: float | Beta | Mixture | Callable[[], Beta]
    g: int
    statistic: Statistic
    formula: str
    library: Callable[[Any, int], Any]
    wrong_formula: str
    wrong: Callable[[Any, int], Any]

    @property
    def p(self) -> float | Beta | Mixture:
        """The pass rate or population itself; what has to be solved for is not solved at import."""
        return self.at() if callable(self.at) else self.at

    @property
    def where(self) -> str:
        """The population and the number of rollouts, in words."""
        return f"{_named(self.p)}, {self.g} rollouts"


def thirds(p: float) -> Levels:
    """Rewards 0, 1/2 and 1 of two coins of chance p."""
    return Levels([0, 0.5, 1], [(1 - p) ** 2, 2 * p * (1 - p), p * p])


def in_a_band(k: Any, g: int) -> Any:
    """A quarter to three quarters correct."""
    return (4 * k >= g) & (4 * k <= 3 * g)


def _named(p: float | Beta | Fixed | Mixture) -> str:
    if isinstance(p, Mixture):
        return " + ".join(f"{w:g} {_named(part)}" for w, part in zip(p.weights, p.parts, strict=True))
    if isinstance(p, Beta):
        return f"Beta({p.mean:.3g}, {p.dispersion:.3g})"
    return f"p = {p:g}" if isinstance(p, float) else f"Fixed({p.p:g})"


DATA = Beta(0.33, 0.49)
"""Prompts that differ as much as those of public runs."""

KINDS = Mixture([Fixed(0.0), Beta(0.5, 0.1)], weights=[0.25, 0.75])
"""A quarter of the prompts is impossible."""

SAMPLES = 10
"""Of each prompt of an evaluation."""


def mean_estimate(p: float, estimate: Callable[[int], Any]) -> float:
    """The mean over evaluations of a prompt of what is estimated from c correct samples."""
    return float(Fixed(p).pmf(SAMPLES) @ [estimate(c) for c in range(SAMPLES + 1)])


def _grpo_magnitude(p: Any, g: int) -> Any:
    return GRPO.magnitude(p, g)


# Three lines a row: what is measured and where; the claim; the mistake.
# fmt: off
CLAIMS = (
    Claim("L1", "binomial pmf", 0.2, 8, lambda rewards: sum(rewards) == 2,
          "P(K=2) = C(g,2) p^2 q^(g-2)", lambda p, g: Fixed(p).pmf(g)[2],
          "Poisson", lambda p, g: exp(-g * p) * (g * p) ** 2 / 2),
    Claim("L2", "beta-binomial pmf", DATA, 8, lambda rewards: sum(rewards) == 2,
          "P(K=2) of Polya's urn", lambda p, g: p.pmf(g)[2],
          "binomial at the mean", lambda p, g: Fixed(p.mean).pmf(g)[2]),
    Claim("L3", "degenerate groups from an evaluation", 0.2, 4, degenerate,
          "D = E [C(c,g) + C(n-c,g)] / C(n,g)", lambda p, g: (
              mean_estimate(p, lambda c: degenerate_probability(Recorded([c], SAMPLES), g)),
              mean_estimate(p, lambda c: Recorded([c], SAMPLES).pmf(g)[[0, g]].sum()),
              degenerate_probability(p, g)),
          "plug-in (c/n)^g + (1-c/n)^g", lambda p, g:
              mean_estimate(p, lambda c: degenerate_probability(c / SAMPLES, g))),
    Claim("E1", "mean advantage of GRPO_NEMO", 0.1, 8, lambda rewards: mean(whitened_by_others(rewards)),
          "NEMO: E A = E[K A+(K) + (g-K) A-(K)] / g", lambda p, g:
              Fixed(p).pmf(g) @ [GRPO_NEMO.advantages([1] * k + [0] * (g - k)).mean() for k in range(g + 1)],
          "0, as if centred", lambda p, g: 0.0),

    Claim("V1", "advantage variance", 0.2, 8, variance,
          "E v = pq (g-1)/g", lambda p, g: (
              advantage_variance(p, g), mean_estimate(p, lambda c: advantage_variance(Recorded([c], SAMPLES), g))),
          "pq", lambda p, g: p * (1 - p)),
    Claim("V1", "advantage variance of a population", DATA, 8, variance,
          "E v = (pass@2 - pass@1) (g-1)/g", lambda p, g: (
              advantage_variance(p, g), (pass_at_k(p, 2) - pass_at_k(p, 1)) * (g - 1) / g),
          "E v at the mean", lambda p, g: advantage_variance(p.mean, g)),
    Claim("V2", "variance of the advantage variance", 0.1, 8, variance_over_groups(variance),
          "Var v = (g-1)/g^3 pq [(g-1)(1-2p)^2 + 2pq], g = 4", lambda p, _: variance_of_advantage_variance(p, 4),
          "Gaussian 2 (pq)^2 (g-1)/g^2", lambda p, _: 2 * (p * (1 - p)) ** 2 * 3 / 16),
    Claim("V3", "distribution of the advantage variance", 0.4, 8,
          lambda rewards: variance(rewards) == Fraction(2 * 6, 8 * 8),
          "P(v = 2(g-2)/g^2) = P(K=2) + P(K=g-2)", lambda p, g: (
              advantage_variance_distribution(p, g)[1][2],
              1 - advantage_variance_distribution(p, g)[1][[0, 1, 3, 4]].sum()),
          "P(K=2)", lambda p, g: Fixed(p).pmf(g)[2]),
    Claim("V4", "advantage variance of GRPO", 0.1, 8, lambda rewards: variance(whitened()(rewards)),
          "GRPO: variance of A = 1 - D", lambda p, g: (GRPO.variance(p, g), informative_probability(p, g)),
          "V1", advantage_variance),
    Claim("V4", "advantage variance of GRPO_NEMO", 0.05, 8, lambda rewards: variance(whitened_by_others(rewards)),
          "NEMO: variance of A = E v (A+(K) - A-(K))^2", lambda p, g: GRPO_NEMO.variance(p, g),
          "E A^2, as if centred", lambda p, g: GRPO_NEMO.second_moment(p, g)),

    Claim("D1", "degenerate groups", 0.4, 4, degenerate,
          "D = p^g + q^g", degenerate_probability,
          "q^g", lambda p, g: (1 - p) ** g),
    Claim("D2", "informative groups", 0.7, 8, informative,
          "1 - D = pass@g - p^g", lambda p, g: (informative_probability(p, g), pass_at_k(p, g) - p**g),
          "pass@g", pass_at_k),
    Claim("D3", "degenerate groups of a population", DATA, 8, degenerate,
          "E D = E p^g + E q^g", lambda p, g: (degenerate_probability(p, g), 1 - informative_probability(p, g)),
          "D at the mean", lambda p, g: degenerate_probability(p.mean, g)),
    Claim("D4", "critical pass rate", lambda: Beta(critical_pass_rate(8, dispersion=0.3), 0.3), 8, degenerate,
          "E D = 1/2 at critical_pass_rate(8, dispersion=0.3)", lambda p, g: (0.5, degenerate_probability(p, g)),
          "D at the mean", lambda p, g: degenerate_probability(p.mean, g)),
    Claim("D5", "critical dispersion", lambda: Beta(0.5, critical_dispersion(8)), 8, degenerate,
          "E D = 1/2 at critical_dispersion(8), mean 1/2", lambda p, g: (0.5, degenerate_probability(p, g)),
          "D at the mean", lambda p, g: degenerate_probability(p.mean, g)),
    Claim("D6", "group size for a pass rate", 0.7, 7, informative,
          "1 - D at the smallest g that reaches 0.9",
          lambda p, g: informative_probability(p, group_size_for(p, informative=0.9)),
          "at the smallest g whose pass@g does", lambda p, g: informative_probability(p, 2)),
    Claim("I1", "dispersion from a log", lambda: Beta(0.28, dispersion_for(0.28, 0.54, 8)), 8, degenerate,
          "E D = 0.54 at dispersion_for(0.28, 0.54, 8)", lambda p, g: (0.54, degenerate_probability(p, g)),
          "D at the mean", lambda p, g: degenerate_probability(p.mean, g)),
    Claim("I2", "update mass of GRPO from an evaluation", 0.2, 4, magnitude(whitened()),
          "E|A| = E sum_k f(k) P(K = k | c)", lambda p, g: (
              mean_estimate(p, lambda c: per_prompt_estimate(_grpo_magnitude, Recorded([c], SAMPLES), g)[0]),
              _grpo_magnitude(p, g)),
          "plug-in f at c/n", lambda p, g: mean_estimate(p, lambda c: _grpo_magnitude(c / SAMPLES, g))),
    Claim("I6", "mean s.d. inside groups", DATA, 8, lambda rewards: root(variance(rewards, ddof=1)),
          "E sqrt(K(g-K) / (g(g-1)))", group_deviation,
          "root of the mean variance", lambda p, g: sqrt(p.reward_variance)),
    Claim("I7", "groups that become degenerate after a band filter", DATA, 8,
          lambda rewards: 1 <= sum(rewards[:4]) <= 3 and degenerate(rewards[4:]),
          "P(1 <= c <= 3 of 4) E[D_4 | kept]", lambda p, _: (
              band(p, 4, 1, 3).share * band(p, 4, 1, 3).expected(degenerate_probability, 4)),
          "as if kept prompts were as before", lambda p, _: (
              band(p, 4, 1, 3).share * degenerate_probability(p, 4))),

    Claim("P1", "pass@k from an evaluation", 0.2, 4, any,
          "pass@k = E [1 - C(n-c,k)/C(n,k)]", lambda p, k: (
              mean_estimate(p, lambda c: pass_at_k(Recorded([c], SAMPLES), k)), pass_at_k(p, k)),
          "plug-in 1 - (1-c/n)^k", lambda p, k: mean_estimate(p, lambda c: pass_at_k(c / SAMPLES, k))),
    Claim("P2", "reward variance of a population", DATA, 2, lambda rewards: variance(rewards, ddof=1),
          "E pq = pass@2 - pass@1", lambda p, _: (p.reward_variance, pass_at_k(p, 2) - pass_at_k(p, 1)),
          "pq at the mean", lambda p, _: p.mean * (1 - p.mean)),
    Claim("P2", "informative groups of a population", DATA, 8, informative,
          "1 - D = pass@g - E p^g", lambda p, g: (
              informative_probability(p, g), pass_at_k(p, g) - p.all_correct(g)),
          "pass@g", pass_at_k),
    Claim("P3", "weight of pass@k over a population", DATA, 8, lambda rewards: sum(  # rollouts that alone decide
              not any(others(rewards, i)) for i in range(len(rewards))),
          "d pass@k / dp = k E q^(k-1)", pass_at_k_weight,
          "k q^(k-1) at the mean", lambda p, k: pass_at_k_weight(p.mean, k)),
    Claim("P6", "groups that miss a correct answer", 0.4, 10,  # half of the rollouts are its coins: t = p^2
          lambda rewards: informative(rewards[:5]) and not any(
              r * coin for r, coin in zip(rewards[:5], rewards[5:], strict=True)),
          "(1-t)^g - (p-t)^g - q^g, t = p^2, g = 5", lambda p, _: missed_mode_probability(p, p * p, 5),
          "(1-t)^g (1 - D), as if independent", lambda p, _: (1 - p * p) ** 5 * informative_probability(p, 5)),

    Claim("N1", "entropy of a verdict", 0.2, 8, lambda rewards: mean(surprises(rewards, 0.2)),
          "h_b = -p ln p - q ln q", lambda p, _: reward_entropy(p),
          "4 ln 2 pq, its bound", lambda p, _: 4 * log(2) * p * (1 - p)),
    Claim("N6", "entropy slope of GRPO, natural gradient", 0.2, 8,  # one correct and one incorrect response
          lambda rewards: mean([a * s for a, s in zip(whitened()(rewards), surprises(rewards, 0.2), strict=True)]),
          "GRPO: dH/dt = -w pq (E[ln pi | correct] - E[ln pi | incorrect])", lambda p, g:
              Responses([p, 1 - p], [1, 0]).flow(weight=float(GRPO.weight(p, g)), natural=True).entropy,
          "without w", lambda p, _: Responses([p, 1 - p], [1, 0]).flow(natural=True).entropy),
    Claim("N8", "variance of ln pi between verdicts", 0.2, 8,  # one correct and one incorrect response
          lambda rewards: variance(surprises(rewards, 0.2), ddof=1),
          "Var ln pi = pq Delta^2", lambda p, _: Responses([p, 1 - p], [1, 0]).log_variance_between,
          "Delta^2 / 4, as at p = 1/2", lambda p, _: Responses([p, 1 - p], [1, 0]).log_gap ** 2 / 4),

    Claim("W1", "weight of GRPO", 0.1, 8, push(whitened(), 0.1),
          "GRPO: w = E sqrt(K(g-K)) / (g pq)", lambda p, g: (
              GRPO.weight(p, g),
              Fixed(p).pmf(g) @ [sqrt(k * (g - k)) for k in range(g + 1)] / (g * p * (1 - p))),
          "1/sqrt(pq)", lambda p, g: 1 / sqrt(p * (1 - p))),
    Claim("W1", "weight of GRPO over a population", DATA, 8, turn(whitened()),
          "GRPO: E w", lambda p, g: GRPO.weight(p, g),
          "w at the mean", lambda p, g: GRPO.weight(p.mean, g)),
    Claim("W1", "weight of GRPO_TRL", 0.1, 8, push(whitened(ddof=1, epsilon=1e-4), 0.1),
          "TRL: w with ddof 1, epsilon 1e-4", lambda p, g: GRPO_TRL.weight(p, g),
          "with ddof 0", lambda p, g: GRPO.weight(p, g)),
    Claim("W1", "weight of GRPO_VERL", 0.1, 8, push(whitened(ddof=1, epsilon=1e-6), 0.1),
          "VERL: w with ddof 1, epsilon 1e-6", lambda p, g: GRPO_VERL.weight(p, g),
          "with ddof 0", lambda p, g: GRPO.weight(p, g)),
    Claim("W1", "weight of GRPO_OPENRLHF", 0.1, 8, push(whitened(ddof=1, epsilon=1e-9), 0.1),
          "OPENRLHF: w with ddof 1, epsilon 1e-9", lambda p, g: GRPO_OPENRLHF.weight(p, g),
          "with ddof 0", lambda p, g: GRPO.weight(p, g)),
    Claim("W1", "weight of GRPO_NEMO", 0.9, 8, push(whitened_by_others, 0.9),
          "NEMO: w = E[A+(J+1) - A-(J)], J ~ Bin(g-1, p)", lambda p, g: GRPO_NEMO.weight(p, g),
          "E[K A+(K)] / (g pq), as if centred", lambda p, g:
              Fixed(p).pmf(g) @ (np.arange(g + 1) * GRPO_NEMO.table(g)[1]) / (g * p * (1 - p))),
    Claim("W1", "weight of DR_GRPO", 0.1, 8, push(centred, 0.1),
          "DR_GRPO: w = (g-1)/g", lambda p, g: (DR_GRPO.weight(p, g), (g - 1) / g),
          "1", lambda p, g: 1.0),
    Claim("W1", "weight of RLOO", 0.1, 8, push(against_others, 0.1),
          "RLOO: w = 1", lambda p, g: (RLOO.weight(p, g), 1.0),
          "(g-1)/g", lambda p, g: (g - 1) / g),
    Claim("W1", "weight of MAXRL", 0.1, 8, push(per_success, 0.1),
          "MAXRL: w = (1 - q^(g-1)) / p", lambda p, g: (MAXRL.weight(p, g), (1 - (1 - p) ** (g - 1)) / p),
          "1/p", lambda p, g: 1 / p),
    Claim("W1", "weight of MAXRL_UNCENTRED", 0.1, 8, push(
              lambda rewards: [r / mean(rewards) if r else Fraction(0) for r in rewards], 0.1),
          "MAXRL_UNCENTRED: w = (1 - q^g) / p", lambda p, g: (
              MAXRL_UNCENTRED.weight(p, g), (1 - (1 - p) ** g) / p),
          "MAXRL's, (1 - q^(g-1)) / p", lambda p, g: MAXRL.weight(p, g)),
    Claim("W1", "weight of the reward's sign", 0.1, 8, push(
              lambda rewards: [Fraction(2 * r - 1) for r in rewards], 0.1),
          "A = 2r - 1: w = 2", lambda p, g: (
              Estimator("sign", lambda K, g: 1.0, lambda K, g: -1.0).weight(p, g), 2.0),
          "1, as if in [0, 1]", lambda p, g: 1.0),
    Claim("W1", "weight of pass_at_k_training(2)", 0.1, 6, push(over_subsets(2), 0.1),
          "pass@2 of subsets, whitened: w = E[A+(J+1) - A-(J)]", lambda p, g: (
              pass_at_k_training(2).weight(p, g)),
          "GRPO's", lambda p, g: GRPO.weight(p, g)),
    Claim("E5", "weight of pass_at_k_gradient(2)", 0.1, 6, push(correct_subsets(2), 0.1),
          "PKPO: w = k q^(k-1)", lambda p, g: (pass_at_k_gradient(2).weight(p, g), 2 * (1 - p)),
          "k", lambda p, g: 2.0),
    Claim("W3", "mean reward of informative groups", 0.1, 8,
          lambda rewards: informative(rewards) * (mean(rewards) - Fraction(0.1)),
          "E (mean - p) over informative groups = p q^g - q p^g", lambda p, g: (
              informative_group_bias(p, g) * informative_probability(p, g), p * (1 - p) ** g - (1 - p) * p**g),
          "0, as over all groups", lambda p, g: 0.0),
    Claim("W4", "weight of GRPO under 1/length", 0.2, 8, push(per_token(whitened(), 1, 3), 0.2),
          "GRPO, lengths T_C, T_I: w (q/T_C + p/T_I)", lambda p, g: (
              length_weighted(GRPO, correct=1, incorrect=3).weight(p, g), GRPO.weight(p, g) * (1 - p + p / 3)),
          "w E[1/T]", lambda p, g: GRPO.weight(p, g) * (p + (1 - p) / 3)),
    Claim("W4", "weight of GRPO under a group's token mean", 0.2, 8, push(token_mean(whitened(), 1, 3), 0.2),
          "GRPO: w of A g / (K T_C + (g-K) T_I)", lambda p, g:
              length_weighted(GRPO, correct=1, incorrect=3, loss="token").weight(p, g),
          "w / E T", lambda p, g: GRPO.weight(p, g) / (p + 3 * (1 - p))),

    Claim("W2", "objective of GRPO", 0.1, 8, rise(whitened()),
          "GRPO: h = E S(K), S = cumsum of A+(j+1) - A-(j), over g", lambda p, g: GRPO.objective(p, g),
          "2 arcsin sqrt(p)", lambda p, g: 2 * asin(sqrt(p))),
    Claim("W2", "objective of RLOO", 0.1, 8, rise(against_others),
          "RLOO: h = p", lambda p, g: (RLOO.objective(p, g), p),
          "(g-1)/g p", lambda p, g: (g - 1) / g * p),
    Claim("W2", "objective of MAXRL", 0.1, 8, rise(per_success),
          "MAXRL: h = sum_{k<g} (1 - q^k)/k", lambda p, g: (
              MAXRL.objective(p, g), sum((1 - (1 - p) ** k) / k for k in range(1, g))),
          "the sum to k = g", lambda p, g: sum((1 - (1 - p) ** k) / k for k in range(1, g + 1))),

    Claim("E2", "second moment of GRPO", 0.1, 8, squared(whitened()),
          "GRPO: E A^2 = 1 - D", lambda p, g: (GRPO.second_moment(p, g), informative_probability(p, g)),
          "V1", advantage_variance),
    Claim("E2", "second moment of GRPO_TRL", 0.1, 8, squared(whitened(ddof=1, epsilon=1e-4)),
          "TRL: E A^2, nearly (g-1)/g (1 - D)", lambda p, g: GRPO_TRL.second_moment(p, g),
          "1 - D", informative_probability),
    Claim("E2", "second moment of GRPO_NEMO", 0.1, 8, squared(whitened_by_others),
          "NEMO: E A^2 = E[K A+(K)^2 + (g-K) A-(K)^2] / g", lambda p, g: GRPO_NEMO.second_moment(p, g),
          "(g-1)/g (1 - D), as TRL", lambda p, g: (g - 1) / g * informative_probability(p, g)),
    Claim("E2", "second moment of DR_GRPO", 0.1, 8, squared(centred),
          "DR_GRPO: E A^2 = pq (g-1)/g", lambda p, g: (
              DR_GRPO.second_moment(p, g), advantage_variance(p, g), DR_GRPO.variance(p, g)),
          "pq", lambda p, g: p * (1 - p)),
    Claim("E2", "second moment of RLOO", 0.1, 8, squared(against_others),
          "RLOO: E A^2 = pq g/(g-1)", lambda p, g: (RLOO.second_moment(p, g), p * (1 - p) * g / (g - 1)),
          "pq", lambda p, g: p * (1 - p)),
    Claim("E2", "second moment of MAXRL", 0.1, 8, squared(per_success),
          "MAXRL: E A^2 = g sum_{k<=g} (q^(g-k) - q^g)/k - (1 - q^g)", lambda p, g: (
              MAXRL.second_moment(p, g),
              g * sum(((1 - p) ** (g - k) - (1 - p) ** g) / k for k in range(1, g + 1)) - pass_at_k(p, g)),
          "q/p, as if K = gp", lambda p, g: (1 - p) / p),
    Claim("E6", "second moment of batch_standardised", DATA, 8, squared(
              lambda rewards: [(r - Fraction(0.33)) / root(Fraction(0.33) * (1 - Fraction(0.33))) for r in rewards]),
          "(r - m)/s: E A^2 = 1", lambda p, g: (batch_standardised(0.33).second_moment(p, g), 1.0),
          "1 - rho, within prompts", lambda p, g: 1 - 0.49),

    Claim("E3", "update mass of GRPO", 0.1, 8, magnitude(whitened()),
          "GRPO: E|A| = 2 pq w", lambda p, g: (
              GRPO.magnitude(p, g), 2 * p * (1 - p) * GRPO.weight(p, g)),
          "2 sqrt(pq)", lambda p, g: 2 * sqrt(p * (1 - p))),
    Claim("E3", "update mass of GRPO_NEMO", 0.1, 8, magnitude(whitened_by_others),
          "NEMO: E|A| = E[K |A+(K)| + (g-K) |A-(K)|] / g", lambda p, g: GRPO_NEMO.magnitude(p, g),
          "2 pq w, as if centred", lambda p, g: 2 * p * (1 - p) * GRPO_NEMO.weight(p, g)),
    Claim("E3", "update mass of MAXRL", 0.1, 8, magnitude(per_success),
          "MAXRL: E|A| = 2 (pass@g - pass@1)", lambda p, g: (
              MAXRL.magnitude(p, g), 2 * (pass_at_k(p, g) - pass_at_k(p, 1))),
          "2 (1 - pass@1)", lambda p, g: 2 * (1 - pass_at_k(p, 1))),

    Claim("F3", "first success in time", float(discoverable_pass_rate(4, confidence=0.9)), 4, any,
          "P(K > 0) = 0.9 at discoverable_pass_rate(4, confidence=0.9)", lambda p, g: (0.9, pass_at_k(p, g)),
          "1 - exp(-gp)", lambda p, g: 1 - exp(-g * p)),

    Claim("F8", "pass rate after one group of GRPO", 0.2, 8, lambda rewards: after_a_group(whitened(), rewards, 0.2),
          "E sigmoid(x + 2 s K A+(K)/g), step s = 1", lambda p, g:
              pass_rate_after(p, g, GRPO, visits=1, step=1, collision=2),
          "p + 2 s w (pq)^2, the flow's", lambda p, g: p + learning_speed(p, g, GRPO, collision=2)),
    Claim("F8", "pass rate after two groups of RLOO", 0.2, 8,
          lambda rewards: after_two_groups(against_others, rewards, 0.2),
          "T^2 sigmoid, groups of 4, step s = 1", lambda p, _:
              pass_rate_after(p, 4, RLOO, visits=2, step=1, collision=2),
          "as if in one group of 8", lambda p, _: pass_rate_after(p, 8, RLOO, visits=1, step=2, collision=2)),

    Claim("S1", "noise of GRPO, two responses", 0.3, 8, variance_over_groups(push(whitened(), 0.3)),
          "GRPO: |grad p|^2 Var c(K), g = 4", lambda p, _: update_variance(Scores(p, 1, 0, 0), 4, GRPO),
          "RLOO's", lambda p, _: update_variance(Scores(p, 1, 0, 0), 4)),
    Claim("S2", "noise of RLOO, two responses", 0.3, 8, variance_over_groups(push(against_others, 0.3)),
          "RLOO: (1/(pq) - 4 + 2/(g-1)) / g, g = 4", lambda p, _: (
              update_variance(Scores(p, 1, 0, 0), 4), update_variance(Scores(p, 1, 0, 0), 4, RLOO),
              1 / signal_to_noise_cap(p, 4)),
          "(1/(pq) - 4) / g, the baseline for free", lambda p, _: (1 / (p * (1 - p)) - 4) / 4),
    Claim("S7", "degenerate groups of a noisy verifier", 0.2, 10,  # half of the rollouts are its coins: FN = p
          lambda rewards: degenerate(tuple(r * (1 - coin) for r, coin in zip(rewards[:5], rewards[5:], strict=True))),
          "D at p~ = (1-FN) p + FP q, FN = p, FP = 0, g = 5", lambda p, _: degenerate_probability(
              noisy_pass_rate(p, fnr=p, fpr=0), 5),
          "D at p", lambda p, _: degenerate_probability(p, 5)),

    Claim("B1", "second moment beside a batch baseline", DATA, 8, squared(against(lambda *_: Fraction(0.33))),
          "E (r-m)^2 = m(1-m)", lambda p, g: (
              posterior_baseline(0.33, 0).second_moment(p, g), p.mean * (1 - p.mean)),
          "RLOO: m(1-m)(1-rho) g/(g-1)", lambda p, g: RLOO.second_moment(p, g)),
    Claim("B2", "second moment beside the posterior mean", DATA, 8, squared(against(beta(0.33, 0.49))),
          "E (r-b)^2 = m(1-m)(1-rho) (1+(g-1)rho)/(1+(g-2)rho)", lambda p, g: (
              posterior_baseline(0.33, 0.49).second_moment(p, g),
              p.reward_variance * (1 + (g - 1) * 0.49) / (1 + (g - 2) * 0.49)),
          "m(1-m)(1-rho), as if p were known", lambda p, g: p.reward_variance),
    Claim("B4", "batches that cannot be filled", 0.2, 10,
          lambda rewards: sum(informative(rewards[i : i + 2]) for i in range(0, 10, 2)) < 3,
          "P(Bin(5, 1-D) < 3), g = 2", lambda p, _: shortfall_probability(p, 2, kept=3, sampled=5),
          "P(Bin(5, 1-D) <= 3)", lambda p, _: shortfall_probability(p, 2, kept=4, sampled=5)),

    Claim("L4", "degenerate groups of a mixture", KINDS, 8, degenerate,
          "E D = sum_i w_i D(part i)", lambda p, g: (
              degenerate_probability(p, g), 1 - informative_probability(p, g), p.pmf(g)[[0, g]].sum()),
          "Beta of its mean and dispersion", lambda p, g: degenerate_probability(Beta(p.mean, p.dispersion), g)),
    Claim("S7", "weight under a noisy verifier", 0.2, 10,  # FN = p, FP = 0, as above
          lambda rewards: mean([a * s for a, s in zip(
              whitened()(tuple(r * (1 - coin) for r, coin in zip(rewards[:5], rewards[5:], strict=True))),
              score(rewards[:5], 0.2), strict=True)]),
          "GRPO: w' = J w(p~), J = 1 - FN - FP, g = 5", lambda p, _: (
              under_noisy_verifier(GRPO, fnr=p, fpr=0).weight(p, 5),
              (1 - p) * GRPO.weight(noisy_pass_rate(p, fnr=p, fpr=0), 5)),
          "w(p~), as if p~ were the policy's", lambda p, _: GRPO.weight(noisy_pass_rate(p, fnr=p, fpr=0), 5)),

    Claim("B6", "weight of NeMo under its filter of rows", 0.1, 8, push(without_lone_peers(whitened_by_others), 0.1),
          "NEMO, rows filtered: A = 0 at K = 1 and g-1", lambda p, g:
              filtered(GRPO_NEMO, lambda k, g: (k > 1) & (k < g - 1)).weight(p, g),
          "NEMO's", lambda p, g: GRPO_NEMO.weight(p, g)),
    Claim("B6", "mean reward of groups in a band", 0.1, 8,
          lambda rewards: (2 <= sum(rewards) <= 6) * mean(rewards),
          "P(kept) E[K/g | kept], 2 <= K <= 6", lambda p, g: (
              g / rollouts_per_accepted_group(p, g, keep=in_a_band)
              * (accepted_pmf(p, g, keep=in_a_band) @ np.arange(g + 1) / g)),
          "P(kept) p", lambda p, g: g / rollouts_per_accepted_group(p, g, keep=in_a_band) * p),
    Claim("B7", "degenerate twice", DATA, 8, lambda rewards: degenerate(rewards[:4]) and degenerate(rewards[4:]),
          "E D^2 = D times the chance of D again, g = 4", lambda p, _: (
              degenerate_again_probability(p, 4) * degenerate_probability(p, 4)),
          "(E D)^2", lambda p, _: degenerate_probability(p, 4) ** 2),
    Claim("B8", "weight of groups that passed a look at two rollouts", 0.1, 8, push(
              only_if(lambda rewards: rewards[0] != rewards[1], whitened()), 0.1),
          "GRPO filtered by 1 - [C(K,2) + C(g-K,2)] / C(g,2)", lambda p, g:
              filtered(GRPO, screened(2)).weight(p, g),
          "2 pq w, as if independent", lambda p, g: 2 * p * (1 - p) * GRPO.weight(p, g)),
    Claim("B8", "weight of the half with most variance", 0.1, 8, push(most_varied(4, whitened()), 0.1),
          "GRPO on k' of K correct: (g/m) (k'/K) A+(k')", lambda p, g: down_sampled(GRPO, 4).weight(p, g),
          "GRPO's in groups of m", lambda p, g: GRPO.weight(p, 4)),
    Claim("B8", "mean update of kept groups of a batch", 0.1, 8, lambda rewards: kept_mean(
              whitened(), [tuple(half) for half in halves(rewards)], 0.1),
          "w (1 - D^2) / (1 - D), two groups of 4", lambda p, _: (
              GRPO.weight(p, 4) * (1 + degenerate_probability(p, 4))),
          "w / (1 - D)", lambda p, _: GRPO.weight(p, 4) / informative_probability(p, 4)),
    Claim("B8", "prompts that two groups have not retired", DATA, 8,
          lambda rewards: not all(rewards[:4]) and not all(rewards[4:]),
          "E (1 - p^g)^2 = 1 - 2 E p^g + E p^2g, g = 4", lambda p, _: 1 - 2 * p.all_correct(4) + p.all_correct(8),
          "(1 - E p^g)^2", lambda p, _: (1 - p.all_correct(4)) ** 2),

    Claim("S8", "squared norm of a batch of two groups", 0.3, 8, lambda rewards: mean([
              Fraction(push(against_others, 0.3)(tuple(half))) for half in halves(rewards)]) ** 2,
          "|G|^2 + [o/g + c/(g(g-1))] / P, one prompt, P = 2, g = 4", lambda p, _: (
              1 + (Scores(p, 1, 0, 0).oracle_noise / 4 + Scores(p, 1, 0, 0).baseline_noise / 12) / 2),
          "o/(gP), the baseline for free", lambda p, _: 1 + Scores(p, 1, 0, 0).oracle_noise / 8),

    # Rewards of more levels are made of two coins a rollout: 5 rollouts.
    Claim("M1", "variance of rewards of three levels", 0.2, 10, lambda coins: variance(three_levels(coins)),
          "E v = (g-1)/g Var(r), g = 5", lambda p, _: thirds(p).variance * 4 / 5,
          "that of a binary reward of the same mean", lambda p, _: advantage_variance(thirds(p).mean, 5)),
    Claim("M1", "degenerate groups of three levels", 0.5, 10, lambda coins: degenerate(three_levels(coins)),
          "D = sum_l pi_l^g, g = 5", lambda p, _: thirds(p).degenerate(5),
          "that of any credit or none", lambda p, _: degenerate_probability(thirds(p).chances[0], 5)),
    Claim("M1", "weight of GRPO on three levels", 0.2, 10, lambda coins: mean([
              a * (x + y) for a, x, y in zip(
                  whitened()(three_levels(coins)), *halves(score(coins, 0.2)), strict=True)]),
          "GRPO: sum_l w_l dpi_l/dp, pi = (q^2, 2pq, p^2), g = 5", lambda p, _:
              level_weights(thirds(p), 5) @ [-2 * (1 - p), 2 - 4 * p, 2 * p],
          "w_l as the rewards are, times w_g(p)", lambda p, _:
              thirds(p).values @ [-2 * (1 - p), 2 - 4 * p, 2 * p] * GRPO.weight(p, 5)),
    Claim("M2", "weight of a small bonus under GRPO", 0.2, 10, lambda coins: mean([
              a * s for a, s in zip(
                  whitened()(with_bonus(coins, Fraction(1, 1024))), halves(score(coins, 0.2))[1], strict=True)]),
          "GRPO: w_f, nearly D(p_c) w(p_f), bonus 2^-10, g = 5", lambda p, _:
              channel_weights(p, p, 5, size=2**-10).bonus,
          "the bonus, as under RLOO", lambda p, _: 2**-10),
    Claim("M2", "weight of a small bonus under RLOO", 0.2, 10, lambda coins: mean([
              a * s for a, s in zip(
                  against_others(with_bonus(coins, Fraction(1, 4))), halves(score(coins, 0.2))[1], strict=True)]),
          "RLOO: w_f = bonus, here 1/4, g = 5", lambda p, _: (
              channel_weights(p, p, 5, size=0.25, rule=leave_one_out).bonus, 0.25),
          "D(p_c) w(p_f), as under GRPO", lambda p, _: degenerate_probability(p, 5) * GRPO.weight(p, 5)),
    Claim("M3", "weight of a bonus standardised by itself", 0.2, 10, lambda coins: mean([
              (a + b / 4) * s for a, b, s in zip(
                  *(whitened()(tuple(half)) for half in halves(coins)), halves(score(coins, 0.2))[1], strict=True)]),
          "GRPO of each channel: bonus times w(p_f), here 1/4, g = 5", lambda p, _: GRPO.weight(p, 5) / 4,
          "that of GRPO of the sum", lambda p, _: channel_weights(p, p, 5, size=0.25).bonus),
)
# fmt: on
