"""Group-size advice: the rule, its reasons, and what counts do not determine."""

import json

import numpy as np
import pytest

from rlsignal import GRPO, RLOO, Beta, Recorded, informative_probability, recommend_group_size
from rlsignal.theory import Scores, best_group_size


class TestAdvice:
    def test_eight_where_half_of_the_groups_are_informative(self):
        assert recommend_group_size(0.3).group_size == 8
        assert recommend_group_size(Beta(0.3, 0.2)).group_size == 8

    def test_larger_where_fewer_are_as_long_as_a_step_keeps_sixteen(self):
        population = Beta(0.28, 0.54)
        assert [recommend_group_size(population, rollouts=n).group_size for n in (256, 512, 2048)] == [8, 16, 16]
        assert recommend_group_size(population, rollouts=4096, informative=0.65).group_size == 64

    def test_where_it_falls_short_it_says_what_it_would_take(self):
        assert any("which takes g = 35" in reason for reason in recommend_group_size(0.02).reasons)
        assert any("more than 4096" in reason for reason in recommend_group_size(Beta(0.1, 0.95)).reasons)

    def test_lines_are_the_theory(self):
        advice = recommend_group_size(Beta(0.28, 0.54), estimator=GRPO)
        for line in advice.lines:
            assert line.informative == informative_probability(Beta(0.28, 0.54), line.group_size)
            assert line.informative_groups == line.prompts * line.informative
            assert line.noise == line.group_size / (line.group_size - 1)
            weights = [GRPO.weight(p, line.group_size) for p in (0.05, 0.5)]
            assert line.hard == pytest.approx(weights[0] / weights[1], rel=1e-12)

    def test_an_estimator_without_a_difficulty_bias_weighs_alike(self):
        assert {round(x.hard, 12) for x in recommend_group_size(0.3, estimator=RLOO).lines} == {1.0}

    def test_an_evaluation_is_asked_itself_as_far_as_it_reaches(self):
        data = Recorded(np.repeat(np.arange(9), [70, 30, 20, 16, 14, 12, 12, 12, 14]), 8)
        lines = {x.group_size: x.informative for x in recommend_group_size(data).lines}
        assert lines[8] == informative_probability(data, 8)
        assert lines[16] > lines[8]

    def test_the_gradient_noise_decides_where_it_is_given(self):
        scores = Scores([0.05, 0.3], 0.001)
        advice = recommend_group_size(0.3, scores=scores, between=0.001)
        assert advice.group_size == best_group_size(scores, 0.001) == 12
        assert advice.reasons[0].startswith("The gradient noise that you gave is least at g = 12")

    def test_says_what_counts_do_not_determine(self):
        advice = recommend_group_size(0.3)
        assert any("Counts alone do not fix the best g" in doubt for doubt in advice.doubts)
        assert "Counts alone" in str(advice)

    def test_for_machines(self):
        summary = json.loads(json.dumps(recommend_group_size(0.3).summary, allow_nan=False))
        assert {"group_size", "informative", "reasons"} <= summary.keys()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"rollouts": 8}, r"^rollouts must be at least 16, got 8\."),
            ({"informative": 1.0}, r"^informative must lie in \(0, 1\), got 1\."),
            ({"largest": 4}, r"^largest must be at least 8, got 4\."),
            ({"between": 0.1}, r"^scores and between must be given together"),
        ],
    )
    def test_bad_input_is_refused(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            recommend_group_size(0.3, **arguments)
