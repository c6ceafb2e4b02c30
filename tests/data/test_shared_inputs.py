"""Inputs of others, in `../shared` from the project's root: each is read right, refused for a reason, or asked about so
that the first answer offered is right. The right figures were computed from the files without this library; skipped
where they are not at hand.
"""

import ast
import re
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest

from rlsignal.data.read import read
from rlsignal.data.records import TrainingLog

SHARED = Path(__file__).parents[2].parent / "shared"
OPTIONS = re.compile(r"\b([a-z_]+)=('[^']*'|\"[^\"]*\"|-?[\d.]*\d)")

EVALUATIONS = {  # file: prompts, samples, g, pass@1, degenerate share at g, all in 4 digits
    "cases/skyrl_gsm8k.jsonl": (24, 8, 8, 0.5469, 0.4583),
    "cases/lmeval_two_filters.jsonl": (60, 1, 1, 0.3333, 1.0),
    "cases/q_epoch_correct.csv": (24, 8, 8, 0.5469, 0.4583),
    "cases/opencompass_gpass.json": (24, 8, 8, 0.5469, 0.4583),
    "cases/completions_12_ab12.table.json": (24, 8, 8, 0.5469, 0.4583),
    "cases/inspect_epochs.json": (24, 8, 8, 0.5469, 0.4583),
    "cases/evalplus_eval_results.json": (24, 8, 8, 0.3229, 0.2500),
    "cases/hf_correct_count.jsonl": (24, 8, 8, 0.5469, 0.4583),
    "cases/hf_passrate_rounded2.jsonl": (24, 8, 8, 0.5469, 0.4583),
    "cases/hf_bigmath.jsonl": (200, 64, 8, 0.5080, 0.2024),
    "cases/csv_european.csv": (24, 8, 8, 0.5469, 0.4583),
    "cases/csv_thousands.csv": (24, 1024, 8, 0.5469, 0.5462),
    "cases/csv_wide.csv": (24, 8, 8, 0.5469, 0.4583),
    "cases/samples_and_correct_lists.jsonl": (24, 8, 8, 0.5469, 0.4583),
    "cases/two_prompts.csv": (2, 8, 8, 0.5, 0.0),
    "data/cruxeval_codellama7b_input.json": (800, 10, 8, 0.3595, 0.7994),
    "data/taubench_airline_gpt4o.json": (50, 4, 4, 0.4200, 0.4800),
    "data/rgeval_llama3b_step400_amc23.json": (40, 50, 8, 0.1440, 0.5657),
    "data/evalplus_humaneval_164x1_eval_results.json": (164, 1, 1, 0.5427, 1.0),
    "data/inspect_popularity_3x1.json": (3, 1, 1, 0.6667, 1.0),
    "data/inspect_shutdown_6x8.eval": (6, 8, 8, 0.0833, 0.3333),
    "data/zvf_probe_gsm8k_llama8b_base_G32.csv": (30, 32, 8, 0.1208, 0.4552),
    "data/zvf_probe_gsm8k_llama8b_base_G32.json": (30, 32, 8, 0.1208, 0.4552),
}
LOGS = {  # file: rows, mean reward, degenerate share (None where a log has none), group size
    "cases/issue_swift9261.jsonl": (4, 0.0, 1.0, None),
    "cases/issue_swift5571.jsonl": (1, 0.3438, 0.0, None),
    "cases/issue_rllm54.log": (6, 0.0, 1.0, None),
    "cases/rllm_verl.log": (60, 0.4513, 0.4238, None),
    "cases/tinker_metrics.jsonl": (50, 0.4844, 0.2338, 16),
    "cases/trainer_state_two_rewards.json": (60, None, 0.1854, None),
    "cases/wandb_chart_reward.csv": (58, 0.5434, None, None),
    "cases/wandb_two_runs.csv": (58, 0.5434, 0.4079, 8),
    "cases/track_rounded_2_decimals.json": (200, 0.0500, 0.8011, None),
    "data/beibeizzz_grpo_trl_metrics.jsonl": (49, None, 0.4286, 5),
    "data/tinker_arithmetic_metrics.jsonl": (100, None, 0.9733, 4),
    "data/rasbt_7_3_plus_tracking.csv": (500, 0.5005, None, None),
    "data/rasbt_7_4_plus_clip_ratio.csv": (500, 0.6495, None, None),
    "data/verl_console_logicrl_output.log.gz": (9, 0.3160, None, None),
}
REFUSED = {
    "data/wandb_binary_run-wntzruuo.wandb": r"is the binary log of Weights & Biases\. Export",
    "data/nemo_gym_xlam_fc_rollouts.jsonl": "does not say which rollouts share a prompt.* group_size=",
    "data/graded_rewards_k4.json": r"rewards must be 0 or 1, got 0\.25.* threshold=",
    "hostile/date.parquet": "column 'prompt' must hold values that Python can",
    "hostile/deep_header.npy": "is damaged",
    "hostile/hugeint_reward.jsonl": "reward must be a number",
    "hostile/nested_summary18.json": "holds averages only",
    "hostile/reward_dict2.jsonl": "holds several values",
    "cases/compare_spread_collapsed.json": "section .* is 'spread' and 'collapsed'",
}


def found(name):
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"not at hand: {name}")
    return path


def first_answer(path, **options):
    """The reading, after the first way out of each error is followed to the letter."""
    for _ in range(4):
        try:
            return read(path, **options)
        except ValueError as error:
            name, value = next(x for x in OPTIONS.findall(str(error)) if x[0] not in options)
            options[name] = ast.literal_eval(value)
    raise AssertionError(f"asked again and again: {options}")


@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_evaluation(name):
    prompts, n, g, pass_at_1, degenerate = EVALUATIONS[name]
    data = first_answer(found(name))
    assert (data.prompts, len(data.correct), set(data.samples.tolist())) == (prompts, prompts, {n})
    assert np.mean(data.correct / data.samples) == pytest.approx(pass_at_1, abs=5.1e-5)
    alike = [Fraction(comb(c, g) + comb(n - c, g), comb(n, g)) for c in data.correct.tolist()]
    assert float(sum(alike) / prompts) == pytest.approx(degenerate, abs=5.1e-5)


def test_of_a_missing_rollout_23_prompts_have_8():
    data = read(found("cases/nan.jsonl"))
    whole = data.samples == 8
    assert (data.prompts, whole.sum()) == (24, 23)
    assert np.mean(np.isin(data.correct[whole], (0, 8))) == pytest.approx(0.4348, abs=5e-5)


@pytest.mark.parametrize("name", LOGS)
def test_a_log(name):
    rows, reward, degenerate, size = LOGS[name]
    log = first_answer(found(name))
    assert isinstance(log, TrainingLog)
    assert (len(log.latest.step), log.group_size) == (rows, size)
    for values, right in ((log.latest.reward, reward), (log.latest.degenerate, degenerate)):
        if right is None:
            assert np.isnan(values).all()
        else:
            assert values.mean() == pytest.approx(right, abs=5.1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_for_its_reason(name):
    with pytest.raises(ValueError, match=REFUSED[name]):
        read(found(name))


def test_every_file_has_a_row_here():
    if not SHARED.is_dir():
        pytest.skip("not at hand: shared")
    here = {*EVALUATIONS, *LOGS, *REFUSED, "cases/nan.jsonl", "data/one_shot_rlvr_acc_first6visits.json"}
    files = {
        f"{x.parent.name}/{x.name}" for part in ("cases", "data") for x in (SHARED / part).iterdir() if x.is_file()
    }
    assert files - here <= {"cases/INDEX.md", "cases/truth.py", "data/README.md"}
