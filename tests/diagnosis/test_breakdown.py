"""Where the rollouts go: parts add up to the whole, difficulty is not taken from the samples that sorted it, moves."""

import json

import numpy as np
import pytest

from rlsignal import degenerate_probability, diagnose, load, read, save
from rlsignal.diagnosis.breakdown import moved, slices
from rlsignal.diagnosis.diagnose import counted
from rlsignal.inference.evaluation import Evaluation
from rlsignal.theory.distributions import Fixed


def drawn(rng, rates, n=8, **columns):
    return {"prompt": range(len(rates)), "n": [n] * len(rates), "c": rng.binomial(n, rates).tolist(), **columns}


def dump(rng, rates, steps, per_step=8, drift=0.0):
    """A run over these prompts in turn, whose pass rates rise by `drift` to its end."""
    rows = []
    for t in range(steps):
        for i in range(per_step):
            which = (t * per_step + i) % len(rates)
            p = np.clip(rates[which] + drift * t / steps, 0, 1)
            rows.append({"step": t, "prompt": which, "n": 8, "c": int(rng.binomial(8, p))})
    return rows


def parts(found, by):
    return {x.name: x for x in found.slices if x.by == by}


class TestDataSets:
    RNG = np.random.default_rng(0)
    DATA = drawn(RNG, np.r_[RNG.beta(2, 1, 100), RNG.beta(0.2, 4, 50)], dataset=["easy"] * 100 + ["hard"] * 50)

    def test_each_is_diagnosed_by_itself(self):
        found = parts(diagnose(self.DATA), "data set")
        hard = {name: list(column)[100:] for name, column in self.DATA.items() if name != "dataset"}
        alone = diagnose(hard).chosen.degenerate
        assert list(found) == ["easy", "hard"]
        assert (found["hard"].degenerate.value, found["hard"].degenerate.low) == (alone.value, alone.low)
        assert found["hard"].batch == pytest.approx(1 / 3)

    def test_costs_add_up_to_the_share_of_the_whole(self):
        found = diagnose(self.DATA)
        assert sum(x.cost for x in parts(found, "data set").values()) == pytest.approx(found.chosen.degenerate.value)

    def test_one_data_set_is_not_divided(self):
        assert not parts(diagnose({name: x for name, x in self.DATA.items() if name != "dataset"}), "data set")


class TestDifficulty:
    def test_what_is_expected_of_fresh_groups_and_not_what_sorted_the_prompts(self):
        """40 evaluations of a Beta's prompts: the band without a success has informative groups, as many as claimed."""
        rng, claimed, fresh = np.random.default_rng(0), [], []
        for _ in range(40):
            rates = rng.beta(0.6, 1.4, 200)
            data = read(drawn(rng, rates))
            found = {x.name: x.degenerate.value for x in slices(data, Evaluation(counted(data)[0]), 8)}
            claimed.append([found["none"], found["(1/4, 1/2]"]])
            share = data.correct / 8
            masks = share == 0, (share > 0.25) & (share <= 0.5)
            fresh.append([np.mean(degenerate_probability(Fixed(rates[which]), 8)) for which in masks])
        off = np.mean(np.subtract(claimed, fresh), 0)
        error = np.std(np.subtract(claimed, fresh), 0) / 40**0.5
        assert np.all(np.abs(off) < 0.02 + 3 * error)
        assert np.mean(fresh, 0)[0] < 0.85  # "no success in 8" is not "degenerate for good"

    def test_bands_hold_each_prompt_once(self):
        found = parts(diagnose({"prompt": range(90), "n": [8] * 90, "c": [*range(9)] * 10}), "correct samples")
        assert [x.prompts for x in found.values()] == [10, 10, 10, 20, 20, 10, 10]
        assert sum(x.batch for x in found.values()) == pytest.approx(1)

    def test_nothing_fitted_is_not_divided(self):
        assert not parts(diagnose({"prompt": range(50), "n": [8] * 50, "c": [0] * 50}), "correct samples")


class TestTime:
    RATES = np.random.default_rng(1).beta(0.6, 1.4, 120)

    def test_by_thirds_where_prompts_do_not_come_again(self):
        found = parts(diagnose(dump(np.random.default_rng(0), self.RATES, 15)), "part of the run")
        assert list(found) == ["steps 0 to 4", "steps 5 to 9", "steps 10 to 14"]

    def test_by_epochs_where_they_do(self):
        found = parts(diagnose(dump(np.random.default_rng(0), self.RATES, 45)), "epoch")
        assert {name: x.prompts for name, x in found.items()} == {"1": 120, "2": 120, "3": 120}

    @pytest.mark.slow
    def test_a_policy_that_moved_is_reported_and_one_that_did_not_is_not(self):
        """60 runs each, at 99% for each of two figures."""
        sure = {}
        for drift in (0.0, 0.4):
            rng, sure[drift] = np.random.default_rng(0), []
            for _ in range(60):
                data = read(dump(rng, self.RATES, 45, drift=drift))
                sure[drift].append(moved(data, Evaluation(*counted(data))).sure)
        assert np.mean(sure[0.0]) <= 0.02 + 3 * np.sqrt(0.02 * 0.98 / 60)
        assert np.mean(sure[0.4]) == 1

    def test_visits_of_a_prompt_are_one_unit_also_between_the_parts(self):
        """With 20 prompts that differ much, most of the noise of the two means is theirs, and cancels."""
        rng = np.random.default_rng(0)
        move = diagnose(dump(rng, np.repeat([0.05, 0.95], 10), 45)).move
        assert move.pass_at_1.standard_error < 0.02

    def test_an_evaluation_has_no_time(self):
        found = diagnose(drawn(np.random.default_rng(0), self.RATES))
        assert found.move is None
        assert {x.by for x in found.slices} == {"correct samples"}


def test_is_printed_kept_and_has_a_summary(tmp_path):
    found = diagnose(dump(np.random.default_rng(0), TestTime.RATES, 45, drift=0.4))
    assert "of all rollouts lost" in str(found)
    assert "The policy moved: from the first to the last third of the steps pass@1 changed by +0." in str(found)
    save(found, tmp_path / "found.npz")
    assert str(load(tmp_path / "found.npz")) == str(found)
    summary = json.loads(json.dumps(found.summary, allow_nan=False))
    assert summary["moved"]["sure"]
    assert {x["by"] for x in summary["slices"]} == {"correct samples", "epoch"}
