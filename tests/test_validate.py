"""Every input error: name, range, value, place, way out; raised at the public door, before any numerics.

"name must ..., got VALUE at index I. Way out." Messages are compared whole, so that a change of wording is a decision.
"""

import re

import numpy as np
import pytest

from rlsignal import (
    DR_GRPO,
    GRPO,
    Beta,
    Estimator,
    Fixed,
    Recorded,
    advantage_variance,
    compare,
    critical_pass_rate,
    degenerate_probability,
    diagnose,
    dispersion_for,
    group_size_for,
    informative_probability,
    pass_at_k,
    read,
    track,
)
from rlsignal.estimators import compare_estimators
from rlsignal.inference import (
    band,
    beta_estimate,
    dispersion_estimate,
    exchangeability,
    group_bounds,
    group_estimate,
    per_prompt_estimate,
    posterior,
)
from rlsignal.theory import (
    advantage_variance_distribution,
    critical_dispersion,
    learning_speed,
    reachable_pass_rate,
    relative_efficiency,
    variance_of_advantage_variance,
)

OF_P_AND_G = {
    "advantage_variance": advantage_variance,
    "advantage_variance_distribution": advantage_variance_distribution,
    "variance_of_advantage_variance": variance_of_advantage_variance,
    "degenerate_probability": degenerate_probability,
    "informative_probability": informative_probability,
    "Estimator.weight": GRPO.weight,
    "Estimator.objective": GRPO.objective,
    "Estimator.second_moment": GRPO.second_moment,
    "Estimator.magnitude": GRPO.magnitude,
    "Estimator.variance": GRPO.variance,
}
OF_G = {
    "critical_pass_rate": critical_pass_rate,
    "critical_dispersion": critical_dispersion,
    "dispersion_for": lambda g: dispersion_for(0.3, 0.5, g),
    "reachable_pass_rate": lambda g: reachable_pass_rate(g, GRPO, budget=1, collision=1),
    "Estimator.table": GRPO.table,
    "Estimator.gain": GRPO.gain,
}
OF_P = {"Fixed": Fixed, "pass_at_k": lambda p: pass_at_k(p, 2), "group_size_for": group_size_for}

SUMMED = "Sums over K lose accuracy beyond."
FIT = (
    "Prompt 1 has only 4 samples, and draws without replacement cannot go beyond them. For larger groups fit a Beta: "
    "Beta(data.mean, dispersion_for(data.mean, degenerate_probability(data, 4), 4))."
)
ESTIMATOR = (
    "Pass one of rlsignal's (GRPO, GRPO_TRL, GRPO_VERL, GRPO_OPENRLHF, GRPO_NEMO, DR_GRPO, RLOO, MAXRL), or your own: "
    "Estimator(name, correct, incorrect)."
)
OF_A_BETA = " A Beta takes mean and dispersion; of one with the letters a and b they are a/(a+b) and 1/(a+b+1)."
BINARY = "rlsignal reads binary rewards; threshold them first."


def short(value):
    """A test's name: the bad value, not the whole message."""
    return "said" if isinstance(value, str) and " must " in value else repr(value)[:30]


def refused(message):
    return pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z")


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (1.2, "p must lie in [0, 1], got 1.2."),
        (-1e-300, "p must lie in [0, 1], got -1e-300."),
        (2, "p must lie in [0, 1], got 2."),
        (float("nan"), "p must lie in [0, 1], got nan."),
        (float("inf"), "p must lie in [0, 1], got inf."),
        (np.float32(-0.5), "p must lie in [0, 1], got -0.5."),
        ("high", "p must be a number or an array of numbers, got 'high'."),
        ("0.5", "p must be a number or an array of numbers, got '0.5'."),
        (None, "p must be a number or an array of numbers, got None."),
        (0.5j, "p must be a number or an array of numbers, got 0.5j."),
        ({"p": 0.5}, "p must be a number or an array of numbers, got {'p': 0.5}."),
    ],
    ids=short,
)
class TestPassRate:
    @pytest.mark.parametrize("function", OF_P_AND_G.values(), ids=OF_P_AND_G)
    def test_with_a_group_size(self, function, p, said):
        with refused(said):
            function(p, 8)

    @pytest.mark.parametrize("function", OF_P.values(), ids=OF_P)
    def test_alone(self, function, p, said):
        with refused(said):
            function(p)


@pytest.mark.parametrize(
    ("p", "said"),
    [
        ([0.1, 0.2, 0.3, 1.2, -4], "p must lie in [0, 1], got 1.2 at index 3."),
        ([[0.1, 0.2], [0.3, np.nan]], "p must lie in [0, 1], got nan at index (1, 1)."),
        ([[0.1], [0.2, 0.3]], "p must be a number or an array of numbers, got [[0.1], [0.2, 0.3]]."),
        ([0.1, "b"], "p must be a number or an array of numbers, got [0.1, 'b']."),
        ([0.1, "0.2"], "p must be a number or an array of numbers, got [0.1, '0.2']."),
        ([0.1, None], "p must be a number or an array of numbers, got [0.1, None]."),
        (np.array([0.5 + 1j]), "p must be a number or an array of numbers, got array([0.5+1.j])."),
        (
            np.ma.masked_array([0.1, 0.2], [0, 1]),
            "p must have no masked entries, got 1. Leave them out: p.compressed().",
        ),
        (["long"] * 30, "p must be a number or an array of numbers, got " + repr(["long"] * 30)[:57] + "...."),
    ],
    ids=short,
)
def test_pass_rates_say_where(p, said):
    with refused(said):
        advantage_variance(p, 8)


@pytest.mark.parametrize(
    ("g", "said"),
    [
        (1, "g must be at least 2, got 1."),
        (0, "g must be at least 2, got 0."),
        (-8, "g must be at least 2, got -8."),
        (np.int64(1), "g must be at least 2, got 1."),
        (2.5, "g must be a whole number of at least 2, got 2.5."),
        (8.0, "g must be a whole number of at least 2, got 8.0."),
        (float("nan"), "g must be a whole number of at least 2, got nan."),
        (True, "g must be a whole number of at least 2, got True."),
        ("8", "g must be a whole number of at least 2, got '8'."),
        (None, "g must be a whole number of at least 2, got None."),
        ([4, 8], "g must be one whole number, got [4, 8]. Ask for each size: [f(p, g) for g in sizes]."),
    ],
    ids=short,
)
class TestGroupSize:
    @pytest.mark.parametrize("function", OF_P_AND_G.values(), ids=OF_P_AND_G)
    @pytest.mark.parametrize("law", [0.3, Beta(0.3, 0.5), Recorded([1, 2], 4)], ids=["p", "Beta", "Recorded"])
    def test_with_a_pass_rate(self, function, law, g, said):
        with refused(said):
            function(law, g)

    @pytest.mark.parametrize("function", OF_G.values(), ids=OF_G)
    def test_alone(self, function, g, said):
        with refused(said):
            function(g)


class TestLargestGroup:
    """The bound that is named is the caller's own, for the number that the caller gave."""

    @pytest.mark.parametrize("law", [0.3, Beta(0.3, 0.5)], ids=["p", "Beta"])
    @pytest.mark.parametrize(
        "function",
        [
            advantage_variance_distribution,
            GRPO.weight,
            GRPO.objective,
            GRPO.second_moment,
            GRPO.magnitude,
            GRPO.variance,
        ],
    )
    def test_of_a_sum_over_the_law(self, function, law):
        function(law, 4096)
        with refused(f"g must be at most 4096, got 4097. {SUMMED}"):
            function(law, 4097)

    def test_of_a_law(self):
        for law in (Fixed(0.3), Beta(0.3, 0.5), Recorded([3], 9000)):
            with refused(f"g must be at most 4096, got 4097. {SUMMED}"):
                law.pmf(4097)
            with refused("g must be at least 1, got 0."):
                law.pmf(0)

    def test_of_an_evaluation(self):
        data = Recorded([3, 1, 2], [8, 4, 6])
        for function in (degenerate_probability, informative_probability, advantage_variance_distribution):
            with refused(f"g must be at most 4, got 5. {FIT}"):
                function(data, 5)
        for method in (data.pmf, data.each, data.all_incorrect, data.all_correct, data.any_correct, data.informative):
            with refused(f"g must be at most 4, got 5. {FIT}"):
                method(5)

    def test_of_attempts(self):
        with refused(f"k must be at most 4, got 5. {FIT}"):
            pass_at_k(Recorded([3, 1, 2], [8, 4, 6]), 5)


@pytest.mark.parametrize(
    ("k", "said"),
    [
        (0, "k must be at least 1, got 0."),
        (2.0, "k must be a whole number of at least 1, got 2.0."),
        (True, "k must be a whole number of at least 1, got True."),
    ],
    ids=short,
)
def test_attempts(k, said):
    for law in (0.3, Beta(0.3, 0.5), Recorded([1], 4)):
        with refused(said):
            pass_at_k(law, k)


@pytest.mark.parametrize(
    ("mean", "dispersion", "said"),
    [
        (1.2, 0.5, "mean must lie in [0, 1], got 1.2." + OF_A_BETA),
        ([0.1, np.nan], 0.5, "mean must lie in [0, 1], got nan at index 1." + OF_A_BETA),
        ("0.3", 0.5, "mean must be a number or an array of numbers, got '0.3'."),
        (0.3, 1.5, "dispersion must lie in [0, 1], got 1.5." + OF_A_BETA),
        (0.3, -0.1, "dispersion must lie in [0, 1], got -0.1." + OF_A_BETA),
        (0.3, [[0.1], [np.inf]], "dispersion must lie in [0, 1], got inf at index (1, 0)." + OF_A_BETA),
        ([0.1, 0.2], [0.1, 0.2, 0.3], "mean and dispersion must have shapes that broadcast, got (2,) and (3,)."),
    ],
)
def test_populations(mean, dispersion, said):
    with refused(said):
        Beta(mean, dispersion)


@pytest.mark.parametrize(
    ("correct", "samples", "said"),
    [
        ([1, 5], 4, "correct must lie in [0, samples] = [0, 4], got 5 at index 1."),
        ([1, 5], [1, 4], "correct must lie in [0, samples] = [0, 4], got 5 at index 1."),
        ([1, -1], 4, "correct must lie in [0, samples] = [0, 4], got -1 at index 1."),
        ([1, 2.5], 4, "correct must be whole counts, got 2.5 at index 1."),
        ([np.nan], 4, "correct must be whole counts, got nan at index 0."),
        ([np.inf], 4, "correct must be whole counts, got inf at index 0."),
        (["2"], 4, "correct must be a number or an array of numbers, got ['2']."),
        ([[True], [True, False]], 4, "correct must be a number or an array of numbers, got [[True], [True, False]]."),
        ([1, 2], 4.5, "samples must be whole counts, got 4.5."),
        ([1], 0, "samples must be at least 1, got 0. Leave prompts without samples out."),
        ([1, 0], [4, 0], "samples must be at least 1, got 0 at index 1. Leave prompts without samples out."),
        (
            [1, 2],
            [4, 4, 4],
            "samples must be one number or one count per prompt [2], got shape (3,). "
            "Give as many entries as `correct` has.",
        ),
        ([], 4, "correct must be one count per prompt, a non-empty array of shape [prompts], got shape (0,)."),
        (3, 4, "correct must be one count per prompt, a non-empty array of shape [prompts], got shape ()."),
        ([[1, 2]], 4, "correct must be one count per prompt, a non-empty array of shape [prompts], got shape (1, 2)."),
    ],
)
def test_evaluations(correct, samples, said):
    with refused(said):
        Recorded(correct, samples)


def test_counts_beyond_any_integer():
    with pytest.raises(ValueError, match=r"^correct must .*, got 1e\+300 at index 0\."):
        Recorded([1e300], 4)


def test_one_sample_says_nothing_of_the_variance():
    for g in (2, 8):
        with refused("samples must be at least 2 to estimate p(1-p), got 1 at index 1. Leave such prompts out."):
            advantage_variance(Recorded([1, 1], [4, 1]), g)


@pytest.mark.parametrize(
    ("rewards", "said"),
    [
        ([0.37, 1], f"reward must be 0 or 1, got 0.37 at index 0. {BINARY}"),
        ([[1, 0], [1, -1]], f"reward must be 0 or 1, got -1 at index (1, 1). {BINARY}"),
        ([1, 2], f"reward must be 0 or 1, got 2 at index 1. {BINARY}"),
        ([0, np.nan], f"reward must be 0 or 1, got nan at index 1. {BINARY}"),
        (
            [[1, 0, 0], [1, 0, 0], [1, 0]],
            "rewards must be groups of equal size, got 3 rollouts in group 0 and 2 in group 2. "
            "Pass groups of one size at a time.",
        ),
        (
            [[1], [0]],
            "rewards must have groups of at least 2 rollouts on the last axis, got shape (2, 1). "
            "One rollout has nothing to be compared with.",
        ),
        (
            1,
            "rewards must have groups of at least 2 rollouts on the last axis, got shape (). "
            "One rollout has nothing to be compared with.",
        ),
        (
            [],
            "rewards must have groups of at least 2 rollouts on the last axis, got shape (0,). "
            "One rollout has nothing to be compared with.",
        ),
        (None, "rewards must be an array of 0 and 1, got None."),
        ([[1, 0], [1, None]], "rewards must be an array of 0 and 1, got [[1, 0], [1, None]]."),
        ([[1, 0], 1], "rewards must be an array of 0 and 1, got [[1, 0], 1]."),
    ],
    ids=short,
)
def test_rewards(rewards, said):
    with refused(said):
        GRPO.advantages(rewards)


@pytest.mark.parametrize("rewards", [["1", "0"], "10", [["yes", "no"]]], ids=repr)
def test_rewards_in_words_are_refused(rewards):
    with pytest.raises(ValueError, match=r"^rewards must be "):
        GRPO.advantages(rewards)


@pytest.mark.parametrize("estimator", ["grpo", None, max, Estimator, 8], ids=repr)
@pytest.mark.parametrize(
    "function",
    [
        lambda estimator: compare_estimators([1, 0], (estimator,)),
        lambda estimator: learning_speed(0.3, 8, estimator),
        lambda estimator: relative_efficiency(0.3, 8, estimator),
        lambda estimator: reachable_pass_rate(8, estimator, budget=1, collision=1),
    ],
    ids=["compare", "speed", "efficiency", "reachable"],
)
def test_what_is_no_estimator(function, estimator):
    with refused(f"estimator must be an Estimator, got {estimator!r}. {ESTIMATOR}"):
        function(estimator)


class TestAdvantagesThatAreNoNumbers:
    WAY_OUT = "Return 0 where a group should not count."

    def test_name_the_estimator_the_side_and_the_count(self):
        mine = Estimator("mine", lambda K, g: 1 / (K - 2), lambda K, g: -1.0)
        with refused(
            "estimator 'mine' must give a finite advantage to every correct rollout, got inf at K = 2 of g = 4. "
            + self.WAY_OUT
        ):
            mine.advantages([1, 1, 0, 0])

    def test_on_the_incorrect_side_too(self):
        mine = Estimator("mine", lambda K, g: 1.0, lambda K, g: np.sqrt(K - 1))
        with refused(
            "estimator 'mine' must give a finite advantage to every incorrect rollout, got nan at K = 0 of g = 4. "
            + self.WAY_OUT
        ):
            mine.weight(0.3, 4)

    @pytest.mark.parametrize(
        "mine",
        [
            Estimator("mine", lambda K, g: np.ones(3), lambda K, g: 0.0),
            Estimator("mine", lambda K, g: "much", lambda K, g: 0.0),
            Estimator("mine", lambda K, g: 1j * K, lambda K, g: 0.0),
            Estimator("mine", lambda K, g: None, lambda K, g: 0.0),
        ],
        ids=["wrong length", "words", "complex", "None"],
    )
    def test_name_the_estimator_whatever_it_gives(self, mine):
        with pytest.raises(ValueError, match=r"^estimator 'mine' must "):
            mine.table(4)

    def test_a_constant_is_no_function(self):
        with refused("correct must be a function of (K, g), got 1.0. Write a constant as lambda K, g: 1.0."):
            Estimator("mine", 1.0, -1.0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: critical_pass_rate(8, level=0), "level must lie in (0, 1), got 0."),
        (lambda: critical_pass_rate(8, level=1), "level must lie in (0, 1), got 1."),
        (lambda: critical_pass_rate(8, level=np.nan), "level must lie in (0, 1), got nan."),
        (lambda: critical_pass_rate(8, dispersion=1.5), "dispersion must lie in [0, 1], got 1.5."),
        (
            lambda: critical_pass_rate(8, dispersion=[0.1, 0.2]),
            "dispersion must be one number, got an array of shape (2,). Call once per entry.",
        ),
        (
            lambda: critical_pass_rate(8, level=[0.4, 0.5]),
            "level must be one number, got an array of shape (2,). Call once per entry.",
        ),
        (lambda: critical_dispersion(8, level=0), "level must lie in (0, 1), got 0."),
        (lambda: critical_dispersion(8, level=1), "level must lie in (0, 1), got 1."),
        (lambda: group_size_for(0.3, informative=1), "informative must lie in (0, 1), got 1."),
        (lambda: group_size_for(0.3, informative=0), "informative must lie in (0, 1), got 0."),
        (lambda: group_size_for(0.3, largest=1), "largest must be at least 2, got 1."),
        (lambda: group_size_for(0.3, largest=64.0), "largest must be a whole number of at least 2, got 64.0."),
        (
            lambda: group_size_for([0.3, 0.4]),
            "p must be one number, got an array of shape (2,). Call once per entry.",
        ),
        (
            lambda: group_size_for(Beta([0.3, 0.4], 0.1)),
            "p must be one number, got an array of shape (2,). Call once per entry.",
        ),
        (lambda: dispersion_for(0, 0.5, 8), "mean must lie in (0, 1), got 0."),
        (lambda: dispersion_for(1.0, 0.5, 8), "mean must lie in (0, 1), got 1."),
        (
            lambda: dispersion_for([0.2, 0.3], 0.5, 8),
            "mean must be one number, got an array of shape (2,). Call once per entry.",
        ),
        (
            lambda: dispersion_for(0.2, 0.01, 8),
            "degenerate must lie in [0.167775, 1], got 0.01. At mean 0.2 and g = 8 identical prompts already have "
            "that many, and differing ones more. Average over more steps, or check that groups are counted, not "
            "batches.",
        ),
        (
            lambda: reachable_pass_rate(8, GRPO, budget=0, collision=1),
            "budget must lie in (0, inf), got 0.",
        ),
        (
            lambda: reachable_pass_rate(8, GRPO, budget=[1, 2], collision=1),
            "budget must be one number, got an array of shape (2,). Call once per entry.",
        ),
        (
            lambda: reachable_pass_rate(8, GRPO, budget=1, collision=[1, 2.5]),
            "collision must lie in [0, 2], got 2.5 at index 1.",
        ),
    ],
)
def test_roots_and_ratios(call, said):
    with refused(said):
        call()


class TestNoGroupSizeIsLargeEnough:
    """It says what can be reached, and at which mean."""

    def test_with_the_largest_allowed(self):
        with refused(
            "largest must allow an informative probability of 0.9, got 8 rollouts, which reach 0.3366 at mean pass "
            "rate 0.05. Raise `largest` or lower `informative`."
        ):
            group_size_for(0.05, largest=8)

    @pytest.mark.parametrize("p", [0, 1])
    def test_for_certain_prompts(self, p):
        with pytest.raises(ValueError, match=rf"got 4096 rollouts, which reach 0 at mean pass rate {p}\."):
            group_size_for(p)

    def test_with_the_samples_recorded(self):
        with pytest.raises(ValueError, match=r"got 4 rollouts, which reach 0\.5 at mean pass rate 0\.25\."):
            group_size_for(Recorded([0, 2], 4))


def test_errors_come_before_numerics():
    """Of several mistakes at least one is named, and none is met as a numpy warning half way."""
    with pytest.raises(ValueError, match=r"^(p|g) must "):
        DR_GRPO.variance(np.nan, 1)
    with pytest.raises(ValueError, match=r"^(p|g|estimator) must "):
        relative_efficiency(2, 0, "grpo")


class TestTheWrongKind:
    """What is given where something else is wanted is named, with what to make of it."""

    OF_COUNTS = {  # noqa: RUF012
        "group_estimate": lambda x: group_estimate(degenerate_probability, x, 4),
        "per_prompt_estimate": lambda x: per_prompt_estimate(degenerate_probability, x, 4),
        "group_bounds": lambda x: group_bounds(degenerate_probability, x, 4),
        "dispersion_estimate": dispersion_estimate,
        "beta_estimate": beta_estimate,
        "exchangeability": lambda x: exchangeability(x, x),
    }

    @pytest.mark.parametrize("function", OF_COUNTS.values(), ids=OF_COUNTS)
    @pytest.mark.parametrize(
        ("value", "way_out"),
        [
            ([0, 1, 4], r"Make one: Recorded\(correct=\[0, 3, 8\], samples=8\)\.$"),
            (0.3, r"Make one: Recorded\("),
            (Fixed(0.3), r"A distribution needs no estimate: ask it itself\.$"),
            (read([[0, 1], [1, 1]]), r"Make one: Recorded\(x\.correct, x\.samples\), of one checkpoint\.$"),
        ],
        ids=["list", "number", "distribution", "rollouts"],
    )
    def test_counts_are_wanted(self, function, value, way_out):
        with pytest.raises(ValueError, match=rf"^\w+ must be counts of an evaluation, a Recorded, got .*{way_out}"):
            function(value)

    @pytest.mark.parametrize("function", [lambda x: posterior(x, [1], 2), lambda x: band(x, 8, 1, 7)])
    @pytest.mark.parametrize("value", [0.3, Recorded([1], [2]), Fixed(0.3)], ids=["number", "counts", "prompt"])
    def test_a_population_is_wanted(self, function, value):
        with pytest.raises(ValueError, match=r"^prior must be a Beta population, got .*beta_estimate\(data\)"):
            function(value)

    def test_percentages_and_letters_of_a_beta_are_recognised(self):
        with pytest.raises(ValueError, match=r"got 28\. If these are percentages, divide them by 100\.$"):
            degenerate_probability(28, 8)
        with pytest.raises(ValueError, match=r"got 2\. A Beta takes mean and dispersion; of one with"):
            Beta(2, 5)


def test_numbers_of_jax_that_numpy_does_not_know_are_numbers():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    rates = np.array([0.25, 0.5], ml_dtypes.bfloat16)
    np.testing.assert_array_equal(degenerate_probability(rates, 8), degenerate_probability([0.25, 0.5], 8))
    np.testing.assert_allclose(degenerate_probability(np.ma.masked_array([0.25], [0]), 8), [0.25**8 + 0.75**8])


class TestUnknownOptions:
    @pytest.mark.parametrize("ask", [diagnose, track, compare])
    @pytest.mark.parametrize(
        ("option", "said"),
        [
            ({"g": 8}, "g is no option: write group_size=8."),
            ({"rewards": "x"}, "rewards is no option: write reward='x'."),
            ({"zz": 1}, "zz is no option of this, nor of read."),
        ],
    )
    def test_the_right_name_is_given(self, ask, option, said):
        with pytest.raises(TypeError, match=f"^{re.escape(said)}$"):
            ask([[0, 1], [1, 1]], **option)

    def test_an_option_of_reading_beside_what_is_read(self):
        with pytest.raises(
            ValueError, match=r"^reward acts where data is read, and it is read already\. Give it to read"
        ):
            diagnose(read([[0, 1], [1, 1]]), 2, reward="x")

    def test_a_column_is_named_by_text(self):
        with pytest.raises(ValueError, match=r"^group must be the name of a column, got 8\.$"):
            read([[0, 1], [1, 1]], group=8)


def test_what_read_returned_is_no_pass_rate_but_its_counts_are():
    data = read({"prompt": [0, 1, 2], "n": [16] * 3, "c": [0, 5, 16]})
    with pytest.raises(ValueError, match=r"Recorded\(data\.correct, data\.samples\)\.$"):
        degenerate_probability(data, 8)
    assert degenerate_probability(Recorded(data.correct, data.samples), 8) > 2 / 3
