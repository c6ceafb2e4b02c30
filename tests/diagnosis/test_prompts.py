"""Which prompts to keep: probabilities that are right as often as they say, and no prompt dropped on failures alone."""

import numpy as np
import pytest

from rlsignal import informative_probability, read
from rlsignal.diagnosis.prompts import LITTLE, list_prompts


def counts(correct, n):
    return {"prompt": range(len(correct)), "n": [n] * len(correct), "c": list(correct)}


class TestProbabilities:
    @pytest.mark.parametrize("impossible", [0.0, 0.5])
    def test_are_calibrated(self, impossible):
        """Pass rates of a Beta, and half of them 0: as many groups are informative as expected, prompt by prompt."""
        rng, claimed, true = np.random.default_rng(0), [], []
        for _ in range(20):
            rates = np.where(rng.random(400) < impossible, 0.0, rng.beta(0.5, 1.5, 400))
            found = list_prompts(counts(rng.binomial(16, rates), 16), 8)
            never = found.correct == 0
            claimed.append((found.informative[never].mean(), found.hopeless[never].mean()))
            share = np.asarray(informative_probability(rates[never], 8))
            true.append((share.mean(), (share < LITTLE).mean()))
        off, error = np.mean(np.subtract(claimed, true), 0), np.std(np.subtract(claimed, true), 0) / 20**0.5
        assert abs(off[0]) < 0.01 + 3 * error[0]
        assert off[1] < 0.03 + 3 * error[1]  # hopeless less often than it is, where half of them are
        assert true[0][0] > 0.02  # "never correct" alone is not "no gradient"

    def test_a_prompt_is_dropped_for_its_kind_and_not_for_its_failures(self):
        """None of 8 correct: dropped where the others are never hard, kept where many are."""
        rng = np.random.default_rng(0)
        apart = list_prompts(counts([0] * 150 + rng.binomial(16, 0.5, 250).tolist(), 16))
        mixed = list_prompts(counts(rng.binomial(8, rng.beta(0.5, 1.5, 400)), 8))
        assert (apart.kind[:150] == "hopeless").all()
        assert (apart.hopeless[:150] > 0.8).all()
        assert (mixed.correct == 0).any()
        assert (mixed.kind == "informative").all()

    def test_solved_is_the_mirror_of_hopeless(self):
        rng = np.random.default_rng(0)
        c = np.r_[np.zeros(150, int), rng.binomial(16, 0.5, 250)]
        one, other = list_prompts(counts(c, 16)), list_prompts(counts(16 - c, 16))
        np.testing.assert_allclose(one.hopeless, other.solved, atol=1e-6)
        np.testing.assert_allclose(one.informative, other.informative, atol=1e-6)

    def test_nothing_is_dropped_where_nothing_tells_prompts_apart(self):
        assert (list_prompts(counts([0] * 50, 8)).kind == "informative").all()
        assert np.isnan(list_prompts(counts([0, 1] * 50, 1)).hopeless).all()


def test_visits_of_a_prompt_are_counted_together():
    data = read([{"prompt": i % 10, "step": i // 10, "n": 4, "c": i % 3} for i in range(30)])
    found = list_prompts(data)
    assert found.samples.tolist() == [12] * 10
    assert found.correct.sum() == data.correct.sum()


def test_rows_are_those_that_are_asked_for():
    found = list_prompts(counts([0] * 150 + [8] * 150, 16))
    assert len(list(found.rows())) == 300
    assert {row["id"] for row in found.rows("hopeless")} == set(range(150))
    assert {row["kind"] for row in found.rows("informative")} == {"informative"}
    assert "hopeless" in str(found)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"step": t, "reward_mean": 0.5, "loss": 0.0} for t in range(4)], r"^data must be rollouts of prompts"),
        (counts([1, 2, 1, 2], 8) | {"checkpoint": ["a", "a", "b", "b"], "prompt": [0, 1, 0, 1]}, "one checkpoint"),
    ],
)
def test_what_names_no_prompts_of_one_policy_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        list_prompts(data)
