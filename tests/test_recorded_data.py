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
    critical_pass_rate,
    degenerate_probability,
    dispersion_for,
    group_size_for,
    informative_probability,
    pass_at_k,
)

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


def training_log():
    """One prompt and one group of 8 a step; an aborted start precedes the run, which counts its steps from 1 again."""
    with found("rasbt_7_3_plus_tracking.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    restart = max(i for i, row in enumerate(rows) if int(row["step"]) == 1)
    correct = [round(8 * float(row["reward_avg"])) for row in rows]
    return Recorded(correct, 8), Recorded(correct[restart:], 8)


every_evaluation = pytest.mark.parametrize(
    "load", [one_shot, amc23, cruxeval, tau_bench], ids=lambda load: load.__name__
)


@pytest.mark.parametrize(
    ("load", "prompts", "samples", "mean", "variance", "g", "dead", "from_the_mean"),
    [
        (one_shot, 1209, 8, 0.335, 0.1136, 8, 0.439, 0.039),
        (amc23, 40, 50, 0.144, 0.0850, 8, 0.566, 0.288),
        (cruxeval, 800, 10, 0.360, 0.0419, 8, 0.799, 0.029),
        (tau_bench, 50, 4, 0.420, 0.1467, 4, 0.480, 0.144),
    ],
    ids=["one_shot", "amc23", "cruxeval", "tau_bench"],
)
def test_figures(load, prompts, samples, mean, variance, g, dead, from_the_mean):
    """Tolerances are half of the last digit that was printed."""
    data = load()
    assert len(data.correct) == prompts
    assert set(data.samples) == {samples}
    assert pass_at_k(data, 1) == pytest.approx(mean, abs=5e-4)
    assert data.reward_variance == pytest.approx(variance, abs=5e-5)
    assert advantage_variance(data, g) == pytest.approx(variance * (g - 1) / g, abs=5e-5)
    assert degenerate_probability(data, g) == pytest.approx(dead, abs=5e-4)
    assert degenerate_probability(float(data.mean), g) == pytest.approx(from_the_mean, abs=5e-4)


@every_evaluation
def test_identities_hold_on_real_counts(load):
    data = load()
    assert pass_at_k(data, 2) - pass_at_k(data, 1) == pytest.approx(float(data.reward_variance), rel=1e-12, abs=0)
    mixed = pass_at_k(data, 4) - float(data.all_correct(4))
    assert informative_probability(data, 4) == pytest.approx(mixed, rel=1e-12, abs=0)
    np.testing.assert_allclose(data.each(4).mean(0), data.law(4), rtol=0, atol=1e-15)


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


def test_four_trials_do_not_tell_groups_of_eight():
    """Refused, with the fit as the way out; what four trials do tell at any g is the variance."""
    data = tau_bench()
    with pytest.raises(ValueError, match=r"^g must be at most 4, got 8\. Prompt 0 has only 4 samples, .* fit a law: "):
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
    """CRUXEval's 0.36 is four times the 0.083 of identical prompts, and four groups of five are dead."""
    data = cruxeval()
    assert data.mean > 4 * critical_pass_rate(8)
    dispersion = dispersion_for(data.mean, degenerate_probability(data, 8), 8)
    assert np.isnan(critical_pass_rate(8, dispersion=dispersion))
