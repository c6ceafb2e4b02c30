"""Populations of the settings page are those of the evaluations that they are named after, where these are at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.settings import POPULATIONS
from rlsignal import Beta, Recorded, read
from rlsignal.inference.population import beta_estimate

DATA = Path(__file__).parents[3] / "shared" / "data"
FILES = {
    "One-Shot RLVR, first visit": "one_shot_rlvr_acc_first6visits.json",
    "One-Shot RLVR, sixth visit": "one_shot_rlvr_acc_first6visits.json",
    "CRUXEval input, CodeLlama 7B": "cruxeval_codellama7b_input.json",
    "AMC 2023, Llama 3B in RL": "rgeval_llama3b_step400_amc23.json",
    "tau-bench airline, GPT-4o": "taubench_airline_gpt4o.json",
    "GSM8K, Llama 8B base": "zvf_probe_gsm8k_llama8b_base_G32.csv",
}


def counts(name):
    """Correct ones of each prompt, and samples a prompt."""
    path = DATA / FILES[name]
    if not path.is_file():
        pytest.skip(f"recorded data not at hand: {path.name}")
    if name.startswith("One-Shot"):
        visit = 0 if "first" in name else 5
        return np.array([round(8 * visits[visit]) for visits in json.loads(path.read_text()).values()]), 8
    found = read(path)
    return np.asarray(found.correct), int(np.max(found.samples))


def apart(population, correct, n):
    """Mean successes, and shares of prompts never and always solved: distances in standard errors."""
    pmf, k = population.pmf(n), np.arange(n + 1)
    what = np.stack([k, k == 0, k == n])
    mean = what @ pmf
    error = np.sqrt((what**2 @ pmf - mean**2) / len(correct))
    return np.abs(np.stack([correct, correct == 0, correct == n]).mean(1) - mean) / error


@pytest.mark.parametrize("name", POPULATIONS)
def test_they_are_fitted_to_the_counts(name):
    assert apart(POPULATIONS[name], *counts(name)).max() < 3


@pytest.mark.parametrize(("name", "nats"), [*zip(POPULATIONS, (1.0, 0.5, 6.2, 0, 0, 0), strict=True)])
def test_they_are_likelier_than_the_best_beta_by_what_the_page_says(name, nats):
    correct, n = counts(name)
    beta = beta_estimate(Recorded(correct, np.full_like(correct, n)))
    fitted, best = (np.log(x.pmf(n)[correct]).sum() for x in (POPULATIONS[name], Beta(beta.mean, beta.dispersion)))
    assert fitted - best == pytest.approx(nats, abs=0.06)
