"""Random ladders and what could be known before RL: each predictor is what it says, and the scores are by hand."""

from dataclasses import replace

import numpy as np
import pytest

import rlsignal
from experiments.predictors import (
    Kind,
    _drawn,
    _known_before,
    _paper_rule,
    _partial,
    _score,
    _settings,
    _spearman,
    score_predictors,
)
from rlsignal import GRPO, Fixed, Recorded, informative_probability, pass_at_k
from rlsignal.sim import GRPORecipe, Network, SFTRecipe, Teacher
from rlsignal.theory import forecast

POLICY = Network(features=4, widths=(12,), tokens=1, choices=6)
KIND = Kind(
    "small",
    Teacher(Network(features=4, widths=(6,), tokens=1, choices=6), features=4, demonstrations=64, prompts=16),
    SFTRecipe(POLICY, depths=(0, 10, 40), batch=16),
    GRPORecipe(POLICY, batch=8, group_size=4, steps=20, record_every=10, attempts=(3,)),
)


@pytest.fixture(scope="module")
def table():
    return score_predictors(8, tuning=3, kinds=(KIND,), sizes=(64,))


def test_predictors_are_the_theory_s():
    p = np.array([0.1, 0.6])
    for population in (Fixed(p), Recorded([2, 10], 16)):
        known = _known_before(population, 8, 10, (30.0,))
        assert known["pass@1"] == pytest.approx(np.mean(pass_at_k(population, 1)))
        assert known["pass@10"] == pytest.approx(np.mean(pass_at_k(population, 10)))
        assert known["informative"] == pytest.approx(np.mean(informative_probability(population, 8)))
        assert known["forecast 30"] == pytest.approx(np.mean(forecast(population, 8, GRPO, budget=30.0)))


def test_the_paper_s_rule_prefers_depth_among_what_neither_stage_flags():
    """Checkpoint 1 keeps its entropy, checkpoint 2 loses more than half of it, checkpoint 3 starts below 0.18 nats."""
    entropies = np.array([[2.0, 1.9, 1.9, 1.8], [1.0, 0.9, 0.8, 0.7], [0.5, 0.4, 0.3, 0.2], [0.1, 0.1, 0.1, 0.1]])
    assert np.argsort(_paper_rule(entropies)).tolist() == [2, 3, 0, 1]


def test_scores_by_hand():
    rows = [
        (np.array([1.0, 2.0, 3.0]), {"trained": np.array([0.1, 0.2, 0.3]), "fresh": np.array([0.3, 0.2, 0.1])}),
        (np.array([3.0, 1.0, 2.0]), {"trained": np.array([0.3, 0.1, 0.25]), "fresh": np.array([0.29, 0.3, 0.1])}),
    ]
    score = _score("x", rows)
    assert score.correlation["trained"].value == pytest.approx(1.0)
    assert score.correlation["fresh"].value == pytest.approx((-1 - 0.5) / 2)  # ranks 3 1 2 against 2 3 1
    assert score.loss["trained"].value == 0
    assert score.loss["fresh"].value == pytest.approx((0.2 + 0.01) / 2)
    assert score.mistaken == {"trained": 0.0, "fresh": 0.5}  # 0.01 is within what counts as equal


def test_a_predictor_adds_nothing_to_itself_and_something_to_noise():
    rng = np.random.default_rng(0)
    outcome = [rng.permutation(5) / 5 for _ in range(200)]
    good = [(y + rng.normal(0, 0.1, 5), {"trained": y}) for y in outcome]
    noise = [(rng.normal(size=5), {"trained": y}) for y in outcome]
    assert _partial([good, noise], "trained").low > 0.5
    nothing = _partial([noise, good], "trained")
    assert nothing.low < 0 < nothing.high
    assert np.isnan(_partial([good, good], "trained").value)


def test_a_partial_correlation_is_the_textbook_s():
    """With one known predictor, (xy - xz zy) / sqrt((1 - xz^2) (1 - zy^2)); a second one takes its part off as well."""
    rng = np.random.default_rng(1)
    ladders = rng.normal(size=(2, 4, 7))
    ladders[:, 3] += ladders[:, 0] + ladders[:, 1] + 0.5 * ladders[:, 2]
    x, z, u = ([(ladder[i], {"trained": ladder[3]}) for ladder in ladders] for i in range(3))

    def by_hand(a, b, *given):
        if not given:
            return _spearman(a, b)
        *rest, last = given
        xy, xz, zy = (by_hand(*pair, *rest) for pair in ((a, b), (a, last), (last, b)))
        return (xy - xz * zy) / np.sqrt((1 - xz**2) * (1 - zy**2))

    one, two = _partial([x, z], "trained").value, _partial([x, z, u], "trained").value
    assert one == pytest.approx(np.mean([by_hand(ladder[0], ladder[3], ladder[1]) for ladder in ladders]))
    assert two == pytest.approx(np.mean([by_hand(ladder[0], ladder[3], ladder[1], ladder[2]) for ladder in ladders]))
    assert abs(one - two) > 0.01


def test_another_trainer_differs_in_its_setting_alone():
    drawn = _drawn(np.random.default_rng(0), 4, (KIND,))
    plain, other = _settings(drawn, KIND).grpo, _settings(drawn, KIND, {"entropy": 0.01}).grpo
    np.testing.assert_allclose(other.entropy, 0.01)
    np.testing.assert_array_equal(other.table, plain.table)
    np.testing.assert_array_equal(other.learning_rate, plain.learning_rate)


def test_ladders_are_as_different_as_they_were_drawn():
    drawn = _drawn(np.random.default_rng(0), 400, (KIND,))
    assert 0 <= drawn["noise"].min() < 0.05 < 0.45 < drawn["noise"].max() <= 0.5
    assert 2 <= drawn["different"].min() < 5 < 50 < drawn["different"].max() <= 64
    setting = _settings(drawn, KIND)
    np.testing.assert_array_equal(setting.sft.learning_rate, drawn["sft_rate"])
    np.testing.assert_array_equal(setting.grpo.learning_rate, drawn["rl_rate"])
    assert setting.grpo.table.shape == (400, 2, 5)


def test_the_table_scores_the_test_ladders_alone(table):
    assert (table.ladders, table.tuning, table.failed) == (5, 3, 0)
    names = [score.name for score in table.scores]
    assert {"SFT depth", "entropy per token", "the paper's rule", "pass@1", "pass@3", "informative", "forecast"} <= set(
        names
    )
    assert f"informative, {table.samples} samples" in names
    for score in table.scores:
        assert all(-1 <= x.value <= 1 for x in score.correlation.values())
        assert all(x.value >= 0 for x in score.loss.values())
    assert "entropy per token, given informative: partial rank correlation" in str(table)


def test_what_becomes_of_each_checkpoint_is_kept(table):
    assert set(table.after) == set(table.entropy_given_larger) == {"trained", "fresh", "trained pass@k", "fresh pass@1"}
    (before,) = (x.by_depth for x in table.scores if x.name == "pass@1")
    assert len(before) == len(KIND.sft.depths)
    assert np.greater(table.after["trained"], before).all()  # on the prompts that RL trains on


def test_the_same_seed_gives_the_same_table(table):
    assert score_predictors(8, tuning=3, kinds=(KIND,), sizes=(64,)).summary == table.summary


@pytest.mark.slow
def test_training_in_larger_groups_changes_outcomes_and_no_predictor(table):
    other = score_predictors(8, tuning=3, kinds=(KIND,), group_size=16, sizes=(64,))
    known, again = ({x.name: x for x in found.scores} for found in (table, other))
    for name in ("informative", "informative, g = 64", "pass@3, 16 samples", "alignment number"):
        np.testing.assert_allclose(again[name].by_depth, known[name].by_depth, rtol=1e-5)
    assert np.greater(known["informative, g = 64"].by_depth, known["informative"].by_depth).all()
    later = "pass@1 after 20 RL steps"
    assert np.abs(np.subtract(again[later].by_depth, known[later].by_depth)).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ladders": 4, "tuning": 3}, r"^ladders must be at least 5, got 4\. Two are needed to test on\.$"),
        ({"tuning": 1}, r"^tuning must be at least 2, got 1\.$"),
        (
            {"kinds": (replace(KIND, grpo=replace(KIND.grpo, group_size=17)),)},
            r"^group_size must be at most 16, got 17\. Pr",
        ),
        ({"kinds": ()}, r"^kinds must be at least one Kind, got none\.$"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        score_predictors(**arguments)


def test_it_is_kept_and_shows_itself(table, tmp_path):
    for result in (table, table.scores[0]):
        assert str(rlsignal.load(rlsignal.save(result, tmp_path / "kept"))) == str(result)
        assert len(repr(result)) < 2000
        assert "<" in result._repr_html_()
        assert max(map(len, str(result).splitlines())) <= 100
