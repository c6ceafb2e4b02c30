"""Real runs, recorded by others, give the figures that their own counts imply. Skipped where the data is not at hand.

The data is not part of the project; it is looked for in `../shared/data` from the project's root.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from rlsignal import (
    Beta,
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
from rlsignal.inference.bounds import group_bounds
from rlsignal.inference.intervals import group_estimate
from rlsignal.inference.pooling import exchangeability
from rlsignal.inference.population import band, beta_estimate, log_estimate

DATA = Path(__file__).parents[2] / "shared" / "data"


def found(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"recorded data not at hand: {name}")
    return path


def one_shot():
    """Each prompt's accuracy on its first visit is k/8."""
    rows = json.loads(found("one_shot_rlvr_acc_first6visits.json").read_text())
    return Recorded([round(8 * visits[0]) for visits in rows.values()], 8)


def amc23():
    report = json.loads(found("rgeval_llama3b_step400_amc23.json").read_text())
    (data,) = [data for category in report["categories"] for data in category["datasets"]]
    scores = [[completion["score"] for completion in result["completions"]] for result in data["results"]]
    return Recorded([sum(x) for x in scores], [len(x) for x in scores])


def cruxeval():
    report = json.loads(found("cruxeval_codellama7b_input.json").read_text())
    samples = report["raw_scored_generations"].values()
    return Recorded([sum(x) for x in samples], [len(x) for x in samples])


def tau_bench():
    trials = {}
    for row in json.loads(found("taubench_airline_gpt4o.json").read_text()):
        trials.setdefault(row["task_id"], []).append(row["reward"])
    return Recorded([sum(x) for x in trials.values()], [len(x) for x in trials.values()])


def training_log(name="rasbt_7_3_plus_tracking.csv"):
    """One prompt and one group of 8 a step; an aborted start precedes a run, which counts its steps from 1 again."""
    with found(name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    restart = max(i for i, row in enumerate(rows) if int(row["step"]) == 1)
    correct = [round(8 * float(row["reward_avg"])) for row in rows]
    return Recorded(correct, 8), Recorded(correct[restart:], 8)


def tracked_run():
    return training_log()[1]


def clipped_run():
    return training_log("rasbt_7_4_plus_clip_ratio.csv")[1]


every_evaluation = pytest.mark.parametrize(
    "load", [one_shot, amc23, cruxeval, tau_bench], ids=lambda load: load.__name__
)


@pytest.mark.parametrize(
    ("load", "prompts", "samples", "mean", "variance", "g", "degenerate", "from_the_mean"),
    [
        (one_shot, 1209, 8, 0.335, 0.1136, 8, 0.439, 0.039),
        (amc23, 40, 50, 0.144, 0.0850, 8, 0.566, 0.288),
        (cruxeval, 800, 10, 0.360, 0.0419, 8, 0.799, 0.029),
        (tau_bench, 50, 4, 0.420, 0.1467, 4, 0.480, 0.144),
    ],
    ids=["one_shot", "amc23", "cruxeval", "tau_bench"],
)
def test_figures(load, prompts, samples, mean, variance, g, degenerate, from_the_mean):
    """Tolerances are half of the last digit that was printed."""
    data = load()
    assert len(data.correct) == prompts
    assert set(data.samples) == {samples}
    assert pass_at_k(data, 1) == pytest.approx(mean, abs=5e-4)
    assert data.reward_variance == pytest.approx(variance, abs=5e-5)
    assert advantage_variance(data, g) == pytest.approx(variance * (g - 1) / g, abs=5e-5)
    assert degenerate_probability(data, g) == pytest.approx(degenerate, abs=5e-4)
    assert degenerate_probability(float(data.mean), g) == pytest.approx(from_the_mean, abs=5e-4)


@every_evaluation
def test_identities_hold_on_real_counts(load):
    data = load()
    assert pass_at_k(data, 2) - pass_at_k(data, 1) == pytest.approx(float(data.reward_variance), rel=1e-12, abs=0)
    mixed = pass_at_k(data, 4) - float(data.all_correct(4))
    assert informative_probability(data, 4) == pytest.approx(mixed, rel=1e-12, abs=0)
    np.testing.assert_allclose(data.each(4).mean(0), data.pmf(4), rtol=0, atol=1e-15)


@every_evaluation
def test_more_samples_than_recorded_are_refused(load):
    data = load()
    n = int(data.samples[0])
    assert 0 < degenerate_probability(data, n) < 1
    with pytest.raises(ValueError, match=rf"^g must be at most {n}, got {n + 1}\. "):
        degenerate_probability(data, n + 1)


@every_evaluation
def test_a_fitted_law_gives_the_recorded_fraction_back(load):
    """The way out that the refusal names."""
    data = load()
    recorded = degenerate_probability(data, 4)
    law = Beta(data.mean, dispersion_for(data.mean, recorded, 4))
    assert degenerate_probability(law, 4) == pytest.approx(recorded, rel=1e-12, abs=0)
    assert degenerate_probability(law, 16) < recorded


def test_cruxeval_agrees_with_its_authors():
    """Their own pass@1 and pass@5, in percent, to the digits that they store."""
    report = json.loads(found("cruxeval_codellama7b_input.json").read_text())
    assert 100 * pass_at_k(cruxeval(), 1) == pytest.approx(report["pass_at_1"], rel=1e-12, abs=0)
    assert 100 * pass_at_k(cruxeval(), 5) == pytest.approx(report["pass_at_5"], rel=1e-12, abs=0)


def test_four_trials_do_not_show_groups_of_eight():
    """Refused, with the fit as the way out; what four trials do tell at any g is the variance."""
    data = tau_bench()
    with pytest.raises(ValueError, match=r"^g must be at most 4, got 8\. Prompt 0 has only 4 samples, .* fit a Beta: "):
        degenerate_probability(data, 8)
    with pytest.raises(ValueError, match=r"got 4 rollouts, which reach 0\.52 at mean pass rate 0\.42\."):
        group_size_for(data)
    assert advantage_variance(data, 8) == pytest.approx(0.1467 * 7 / 8, abs=5e-5)


def test_groups_of_a_training_log():
    """Each row is a group of its own prompt, so g = n: counting, no estimating."""
    logged, run = training_log()
    assert (len(logged.correct), len(run.correct)) == (505, 500)
    assert run.mean == pytest.approx(0.5005, abs=5e-5)
    assert logged.mean == pytest.approx(0.498, abs=5e-4)
    assert degenerate_probability(run, 8) == pytest.approx(0.538, abs=5e-4)
    assert degenerate_probability(logged, 8) == pytest.approx(0.535, abs=5e-4)
    assert degenerate_probability(run, 8) == np.mean((run.correct == 0) | (run.correct == 8))
    assert degenerate_probability(float(run.mean), 8) == pytest.approx(0.008, abs=5e-4)


def test_a_mean_far_above_the_critical_one_is_no_comfort():
    """CRUXEval's 0.36 is four times the 0.083 of identical prompts, and four groups of five are degenerate."""
    data = cruxeval()
    assert data.mean > 4 * critical_pass_rate(8)
    dispersion = dispersion_for(data.mean, degenerate_probability(data, 8), 8)
    assert np.isnan(critical_pass_rate(8, dispersion=dispersion))


def visits():
    """Successes of 8 on the first six visits [prompts, 6]; the policy trains in between."""
    rows = json.loads(found("one_shot_rlvr_acc_first6visits.json").read_text())
    return np.array([[round(8 * accuracy) for accuracy in row] for row in rows.values()])


def split(data, rng):
    """Two halves of every prompt's samples, drawn at random: exchangeable, whatever their stored order was."""
    c, n = np.asarray(data.correct), np.asarray(data.samples)
    first = rng.hypergeometric(c, n - c, n // 2)
    return Recorded(first, n // 2), Recorded(c - first, n - n // 2)


class TestLargerGroupsFromFewerSamples:
    def test_the_second_visit_may_be_pooled_with_the_first(self):
        """One epoch moves the policy too little to be seen; five epochs do not."""
        correct = visits()
        first, second, sixth = (Recorded(correct[:, i], 8) for i in (0, 1, 5))
        assert exchangeability(first, second).p_value > 0.05
        moved = exchangeability(first, sixth)
        assert moved.shift > 0.02
        assert moved.p_value < 1e-6

    def test_groups_of_16_from_8_samples(self):
        """The first visit's Beta predicts what both visits together show; so do the bounds, without a shape."""
        correct = visits()
        fit, pooled = beta_estimate(Recorded(correct[:, 0], 8)), Recorded(correct[:, :2].sum(1), 16)
        assert fit.goodness_of_fit_p > 0.05
        predicted, shown = fit.predict(degenerate_probability, 16), degenerate_probability(pooled, 16)
        assert predicted.low < shown < predicted.high
        allowed = group_bounds(degenerate_probability, Recorded(correct[:, 0], 8), 16)
        low, high = allowed.low, allowed.high
        assert low < shown < high
        assert degenerate_probability(fit.mean, 16) < 0.1 * shown  # the mean alone

    def test_visits_of_a_prompt_are_one_cluster(self):
        """Six visits pooled as if they were other prompts claim less than half of the squared error."""
        correct = visits()
        data, prompts = Recorded(correct.reshape(-1), 8), np.repeat(np.arange(len(correct)), 6)
        naive, honest = (group_estimate(degenerate_probability, data, 8, clusters=x) for x in (None, prompts))
        assert naive.value == pytest.approx(honest.value, rel=1e-12)
        assert naive.standard_error**2 < 0.5 * honest.standard_error**2

    @pytest.mark.parametrize(
        "load",
        [one_shot, amc23, cruxeval, tau_bench, tracked_run, clipped_run],
        ids=lambda load: load.__name__,
    )
    def test_one_half_predicts_the_other_and_the_whole(self, load):
        """A Beta fitted to half of the samples, against the other half's degenerate groups, and against groups of n.

        Eight ways to halve every file. The half's mean alone predicts less than half of the whole's, beyond errors.
        """
        data = load()
        off = {"half": [], "whole": []}
        for seed in range(8):
            first, second = split(data, np.random.default_rng(seed))
            assert exchangeability(first, second).p_value > 1e-3
            fit = beta_estimate(first)
            for name, held in (("half", second), ("whole", data)):
                g = int(np.min(held.samples))
                predicted, shown = (
                    fit.predict(degenerate_probability, g),
                    group_estimate(degenerate_probability, held, g),
                )
                error = np.hypot(predicted.standard_error, shown.standard_error)
                off[name].append((predicted.value - shown.value) / error)
            assert shown.low > 2 * degenerate_probability(float(first.mean), g)
        for misses in off.values():
            assert abs(np.mean(misses)) < 1
            assert np.max(np.abs(misses)) < 3.5

    @pytest.mark.parametrize(
        ("load", "fits"),
        [
            (one_shot, True),
            (amc23, True),
            (tau_bench, True),
            (tracked_run, True),
            (cruxeval, False),
            (clipped_run, False),
        ],
        ids=lambda value: getattr(value, "__name__", ""),
    )
    def test_where_a_beta_is_no_good(self, load, fits):
        """Counts of CRUXEval and of one training log reject it, though it predicted their degenerate groups above."""
        fit = beta_estimate(load())
        assert (fit.goodness_of_fit_p > 0.05) is fits
        assert ("not those of a Beta" in fit.warning) is not fits

    def test_what_a_beta_gets_wrong_on_cruxeval(self):
        """Problems solved once or nine times of ten: 63 predicted, 43 there. So it misses groups with one success."""
        data = cruxeval()
        fit, found_ = beta_estimate(data), np.bincount(data.correct, minlength=11)
        expected = len(data.correct) * fit.distribution.pmf(10)
        assert (found_[1] + found_[9], round(expected[1] + expected[9])) == (43, 63)
        lone = fit.predict(lambda p, g: p.pmf(g)[..., 1], 10)
        assert np.mean(np.asarray(data.correct) == 1) < lone.low

    def test_stored_order_is_not_always_random(self):
        """CRUXEval's ten samples of a problem lie in an order in which neighbours agree: no half is like the other."""
        report = json.loads(found("cruxeval_codellama7b_input.json").read_text())
        samples = np.array(list(report["raw_scored_generations"].values())).astype(int)
        front, back = Recorded(samples[:, :5].sum(1), 5), Recorded(samples[:, 5:].sum(1), 5)
        assert exchangeability(front, back).variance_ratio > 2
        assert exchangeability(front, back).p_value < 1e-30
        agree = [np.mean(samples[:, 0] == samples[:, i]) for i in (1, 5, 9)]
        assert agree[0] > agree[1] > agree[2]


def test_a_log_of_a_run_predicts_smaller_groups():
    """From mean and degenerate fraction alone, against the unbiased count from the same groups."""
    _, run = training_log()
    fit = log_estimate(float(run.mean), degenerate_probability(run, 8), 8, groups=500)
    for g in (2, 4):
        shown = group_estimate(degenerate_probability, run, g)
        predicted = fit.predict(degenerate_probability, g)
        assert abs(predicted.value - shown.value) < 3 * np.hypot(predicted.standard_error, shown.standard_error)


@pytest.mark.parametrize("load", [one_shot, amc23, cruxeval], ids=["one_shot", "amc23", "cruxeval"])
def test_a_band_keeps_prompts_that_look_less_degenerate_than_they_are(load):
    """Filter on one half of the samples, roll out on the other: the Beta predicts both the share and the rest."""
    data = load()
    first, second = split(data, np.random.default_rng(0))
    n = int(np.min(first.samples))
    through = (first.correct >= 1) & (first.correct <= n - 1)
    kept = band(beta_estimate(first).distribution, n, 1, n - 1)
    prompts = len(through)
    assert abs(through.mean() - kept.share) < 4 * np.sqrt(kept.share * (1 - kept.share) / prompts)
    rest = Recorded(second.correct[through], second.samples[through])
    shown = group_estimate(degenerate_probability, rest, 4)
    assert abs(shown.value - kept.expected(degenerate_probability, 4)) < 4 * shown.standard_error
    assert shown.value > degenerate_probability(Recorded(first.correct[through], n), 4)


class TestDiagnosis:
    """The command reads every file without options, with one, or refuses it naming the option; with these figures."""

    def test_figures_of_the_evaluations(self):
        for name, prompts, mean, variance, g, degenerate, from_the_mean in [
            ("one_shot_rlvr_acc_first6visits.json", 1209, 0.335, 0.1136, 8, 0.439, 0.039),
            ("rgeval_llama3b_step400_amc23.json", 40, 0.144, 0.0850, 8, 0.566, 0.288),
            ("cruxeval_codellama7b_input.json", 800, 0.360, 0.0419, 8, 0.799, 0.029),
            ("taubench_airline_gpt4o.json", 50, 0.420, 0.1467, 4, 0.480, 0.144),
            ("rasbt_7_3_plus_tracking.csv", 500, 0.5005, None, 8, 0.538, 0.008),
        ]:
            diagnosed = diagnose(found(name), g)
            assert diagnosed.prompts == prompts
            assert diagnosed.pass_at_1.value == pytest.approx(mean, abs=5e-4)
            assert variance is None or diagnosed.signal.value == pytest.approx(variance, abs=5e-5)
            assert diagnosed.chosen.degenerate.value == pytest.approx(degenerate, abs=5e-4)
            assert diagnosed.chosen.from_the_mean == pytest.approx(from_the_mean, abs=5e-4)

    def test_four_trials_at_eight_are_bounded_and_not_counted(self):
        diagnosed = diagnose(found("taubench_airline_gpt4o.json"), 8)
        assert diagnosed.chosen.degenerate.how == "bounds"
        assert "few samples" in [x.name for x in diagnosed.findings]

    def test_a_reward_that_is_not_binary_is_refused_with_the_column_that_is(self):
        path = found("beibeizzz_grpo_trl_metrics.jsonl")
        log = read(path)
        assert np.isnan(log.reward).all()
        assert "reward='accuracy'" in next(note.text for note in log.notes if note.kind == "graded")
        trend = track(path, 5, reward="accuracy", window=10)
        assert np.isfinite(trend.degenerate).all()  # of the reward that is trained on

    def test_rollouts_without_a_group_are_refused_with_the_options_that_name_one(self):
        with pytest.raises(ValueError, match=r"does not say which rollouts share a prompt.* group_size="):
            diagnose(found("nemo_gym_xlam_fc_rollouts.jsonl"))

    def test_visits_of_a_policy_that_trains_are_compared(self):
        compared = compare(found("one_shot_rlvr_acc_first6visits.json"))
        assert compared.prompts == 1209
        means = [x.value for x in compared.pass_at_1]
        assert means[-1] > means[0]
        assert compared.best["informative"] == "1"  # the policy improves, and fewer groups are informative
