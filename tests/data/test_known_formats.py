"""One small file for every row of the table of formats, made here; the right counts are counted here as well.

The population is 13 prompts with 8 samples each; `CORRECT` says how many of each are correct, `verdict` which.
"""

import csv
import gzip
import io
import json
import random
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rlsignal.data.formats import FORMATS
from rlsignal.data.names import SYNONYMS
from rlsignal.data.read import read
from rlsignal.data.records import TrainingLog

CORRECT = [0, 0, 0, 1, 2, 3, 3, 5, 6, 7, 8, 8, 0]
N = 8
PROMPTS = range(len(CORRECT))
STEPS = range(1, 25)
GROUP, GROUPS = 4, 20


def verdict(prompt, sample):
    """Whether this sample of this prompt is correct: CORRECT[prompt] of 8 are, starting at another place each."""
    return (sample + 3 * prompt) % N < CORRECT[prompt]


def each(row):
    """A row for every rollout, the samples of a prompt apart from each other."""
    return [row(i, k) for k in range(N) for i in PROMPTS]


def per_prompt(row):
    return [row(i, [verdict(i, k) for k in range(N)]) for i in PROMPTS]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_csv(rows):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def group(step, i):
    """How many of group i's 4 rollouts are correct at a step: 0, 4, or between."""
    return random.Random(100 * step + i).choice((0, 4, 1, 0, 4, 2, 3))


def means(step):
    return sum(group(step, i) for i in range(GROUPS)) / (GROUP * GROUPS)


def none(step):
    return sum(group(step, i) == 0 for i in range(GROUPS))


def all_(step):
    return sum(group(step, i) == GROUP for i in range(GROUPS))


def degenerate(step):
    return (none(step) + all_(step)) / GROUPS


def log(row):
    return lines([row(step) for step in STEPS])


def inspect(value=lambda right: "C" if right else "I"):
    samples = each(
        lambda i, k: {
            "id": f"q{i}",
            "epoch": k + 1,
            "input": "?",
            "target": "!",
            "scores": {"match": {"value": value(verdict(i, k)), "answer": "a", "metadata": {"score": 0.3}}},
            "metadata": {"id": "x", "reward": 1},
        }
    )
    return {"version": 2, "eval": {"task": "t", "model": "m", "run_id": "r"}, "samples": samples}


def inspect_eval():
    whole = inspect()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({"eval": whole["eval"]}))
        for sample in whole["samples"]:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        archive.writestr("summaries.json", "[]")
    return file.getvalue()


def parquet(rows):
    pyarrow = pytest.importorskip("pyarrow", reason="the test extra installs it")
    from pyarrow import parquet as writer

    file = io.BytesIO()
    writer.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def evaluations():
    """Format, file name, content, options; each holds the whole population."""
    yield "Inspect log", "a.json", json.dumps(inspect()), {}
    yield "Inspect log", "bool.json", json.dumps(inspect(bool)), {}
    yield "Inspect log", "a.eval", inspect_eval(), {}
    two = inspect()
    for sample in two["samples"]:
        sample["scores"]["other"] = {"value": "C"}
    yield "Inspect log", "two.json", json.dumps(two), {"scorer": "match"}
    lm = each(
        lambda i, k: {
            "doc_id": i,
            "doc": {"q": 1},
            "target": "3",
            "filter": "none",
            "metrics": ["exact_match"],
            "exact_match": float(verdict(i, k)),
        }
    )
    yield "lm-evaluation-harness samples", "samples_task_2025-01-01T00-00-00.jsonl", lines(lm), {}
    twice = [
        {**row, "filter": name, "exact_match": row["exact_match"] if name == "a" else 1.0}
        for row in lm
        for name in "ab"
    ]
    yield "lm-evaluation-harness samples", "samples_two.jsonl", lines(twice), {"filter": "a"}
    light = per_prompt(
        lambda i, v: {
            "doc": {"id": str(i), "task_name": "t"},
            "metric": {"pass@1": sum(v) / N},
            "model_response": {"text": ["x"] * N},
        }
    )
    yield "lighteval details", "details.parquet", lambda: parquet(light), {}
    plus = {
        f"T/{i}": [
            {
                "task_id": f"T/{i}",
                "base_status": "pass" if verdict(i, k) or k % 2 else "timeout",
                "plus_status": "pass" if verdict(i, k) else "fail",
                "base_fail_tests": [],
                "plus_fail_tests": [[1, 0, 1], [0]],
            }
            for k in range(N)
        ]
        for i in PROMPTS
    }
    yield (
        "EvalPlus results",
        "a_eval_results.json",
        json.dumps({"date": "d", "hash": "h", "eval": plus}),
        {"scorer": "plus"},
    )
    big = {
        f"B/{i}": [{"task_id": f"B/{i}", "status": "pass" if verdict(i, k) else "timeout"} for k in range(N)]
        for i in PROMPTS
    }
    yield "BigCodeBench results", "b_eval_results.json", json.dumps({"date": "d", "eval": big}), {}
    human = each(lambda i, k: {"task_id": f"H/{i}", "completion": "x", "result": "passed", "passed": verdict(i, k)})
    yield "HumanEval results", "h_results.jsonl", lines(human), {}
    compass = {
        str(i): {
            "example_abbr": f"m_{i}",
            "pred": ["a"] * N,
            "answer": "a",
            "correct": [verdict(i, k) for k in range(N)],
        }
        for i in PROMPTS
    }
    yield "OpenCompass details", "c.json", json.dumps({"accuracy": 50.0, "details": {"type": "GEN", **compass}}), {}
    yield "OpenCompass details", "g.json", json.dumps({"accuracy": 50.0, "details": list(compass.values())}), {}
    qwen = per_prompt(
        lambda i, v: {"idx": i, "question": f"q{i}", "gt": "1", "pred": ["1"] * N, "score": v, "pred_score": [0.5] * N}
    )
    yield "Qwen math harness", "q.jsonl", lines(qwen), {}
    live = per_prompt(
        lambda i, v: {
            "question_id": f"{i}",
            "question_title": "t",
            "code_list": ["c"] * N,
            "graded_list": v,
            "pass@1": sum(v) / N,
            "metadata": ["{}"] * N,
        }
    )
    yield "LiveCodeBench results", "l_eval_all.json", json.dumps(live), {}
    arena = per_prompt(
        lambda i, v: {
            "idx": i,
            "problem": f"p{i}",
            "messages": [[{"role": "user"}]] * N,
            "answers": ["1"] * N,
            "correct": v,
            "gold_answer": "1",
        }
    )
    yield "MathArena outputs", "m.json", json.dumps(arena), {}
    tau = each(
        lambda i, k: {"task_id": i, "reward": float(verdict(i, k)), "info": {"reward": 1}, "traj": [], "trial": k}
    )
    yield "tau-bench results", "t.json", json.dumps(tau), {}
    tau2 = each(
        lambda i, k: {
            "id": f"{i}-{k}",
            "task_id": f"{i}",
            "trial": k,
            "reward_info": {"reward": float(verdict(i, k)), "db_check": {"db_reward": 1.0}},
            "messages": [],
        }
    )
    yield (
        "tau2-bench simulations",
        "t2.json",
        json.dumps({"timestamp": "x", "info": {"num_trials": N}, "tasks": [{"id": "0"}], "simulations": tau2}),
        {},
    )
    terminal = each(
        lambda i, k: {"id": f"u{i}{k}", "trial_name": f"x.{k}", "task_id": f"t{i}", "is_resolved": verdict(i, k)}
    )
    yield (
        "terminal-bench results",
        "results.json",
        json.dumps({"id": "r", "results": terminal, "accuracy": 0.5, "n_resolved": 3}),
        {},
    )
    math = per_prompt(
        lambda i, v: {
            "problem": f"p{i}",
            "answer": "1",
            "source": "s",
            "domain": ["d"],
            "llama8b_solve_rate": sum(v) / N,
        }
    )
    yield "Big-Math", "big.jsonl", lines(math), {"samples": N}
    sky = per_prompt(
        lambda i, v: {
            "data_source": "d",
            "prompt": [{"role": "user", "content": f"p{i}"}],
            "extra_info": {"index": i, "model_difficulty": {"7B": N - sum(v)}},
        }
    )
    yield "Skywork-OR1", "sky.jsonl", lines(sky), {"samples": N}
    open_r1 = per_prompt(
        lambda i, v: {
            "problem": f"p{i}",
            "uuid": f"u{i}",
            "generations": ["g"] * N,
            "correctness_math_verify": v,
            "correctness_llama": None,
            "correctness_count": sum(v),
        }
    )
    yield "OpenR1-Math", "r1.jsonl", lines(open_r1), {}
    verl = each(
        lambda i, k: {
            "input": f"p{i}",
            "output": "o",
            "gts": "1",
            "score": float(verdict(i, k)),
            "step": 3,
            "pred": "1",
        }
    )
    yield "verl rollouts", "3.jsonl", lines(verl), {}
    dapo = [{**row, "score": 2 * row["score"] - 1, "acc": bool(row["score"])} for row in verl]
    yield "verl rollouts", "4.jsonl", lines(dapo), {"threshold": 0}
    yield "verl rollouts", "5.jsonl", lines(dapo), {"reward": "acc"}
    trl = each(
        lambda i, k: {
            "step": 12,
            "prompt": f"p{i}",
            "completion": "c",
            "accuracy_reward": float(verdict(i, k)),
            "format_reward": 1.0,
            "advantage": 0.1,
        }
    )
    yield "TRL completions", "completions_00012.parquet", lambda: parquet(trl), {"reward": "accuracy_reward"}
    table = {"columns": list(trl[0]), "data": [list(row.values()) for row in trl]}
    yield "TRL completions", "completions.table.json", json.dumps(table), {"reward": "accuracy_reward"}
    swift = {
        "step": ["7"] * (N * len(CORRECT)),
        **{name: [row[name] for row in trl] for name in ("prompt", "completion")},
    }
    swift |= {"AccuracyORM": [row["accuracy_reward"] for row in trl], "advantages": [0.1] * len(trl)}
    yield "ms-swift completions", "completions.jsonl", lines([swift]), {}
    tinker = each(
        lambda i, k: {
            "group_idx": i,
            "traj_idx": k,
            "iteration": 4,
            "total_reward": float(verdict(i, k)),
            "final_reward": 0.0,
        }
    )
    yield "Tinker rollout summaries", "rollout_summaries.jsonl", lines(tinker), {}
    instruct = each(
        lambda i, k: {
            "step": 1,
            "sample_idx": i * N + k,
            "prompt_idx": i,
            "reward": 10.0 * verdict(i, k),
            "advantage": 0.0,
            "dataset": "d",
        }
    )
    yield "open-instruct rollouts", "run_rollouts_000000.jsonl", lines(instruct), {"threshold": 5}
    verifiers = each(
        lambda i, k: {
            "example_id": i,
            "prompt": [{"role": "user", "content": "same"}],
            "completion": [],
            "reward": float(verdict(i, k)),
            "task": "t",
        }
    )
    yield "verifiers results", "results.jsonl", lines(verifiers), {}
    skyrl = each(
        lambda i, k: {
            "input_prompt": f"p{i}",
            "output_response": "o",
            "score": [0.0] * (i + k % 3) + [float(verdict(i, k))],
            "data_source": "d",
        }
    )
    yield "SkyRL evaluation dump", "eval.jsonl", lines(skyrl), {}
    gym = each(
        lambda i, k: {
            "responses_create_params": {"input": f"p{i}"},
            "reward": float(verdict(i, k)),
            "_ng_task_index": i,
            "_ng_rollout_index": k,
        }
    )
    yield "NeMo Gym rollouts", "gym.jsonl", lines(gym), {}
    nemo = [
        {"content": "c", "rewards": float(verdict(i, k)), "advantages": 0.1, "idx": i * N + k}
        for i in PROMPTS
        for k in range(N)
    ]
    yield "NeMo-RL training data", "train_data_step3.jsonl", lines(nemo), {"group_size": N}
    filtered = per_prompt(lambda i, v: f"INFO dropped group scores={[float(x) for x in v]}\n")
    yield "OpenRLHF filtered groups", "train.log", "".join(filtered), {}
    atropos = per_prompt(
        lambda i, v: {
            "tokens": [[1, 0]] * N,
            "masks": [[1, 1]] * N,
            "scores": [float(x) for x in v],
            "advantages": None,
        }
    )
    yield "atropos groups", "groups.jsonl", lines(atropos), {}


def multipl_e(folder):
    for i in PROMPTS:
        rows = [
            {"program": "p", "exit_code": 0 if verdict(i, k) else 1, "status": "OK" if verdict(i, k) else "Exception"}
            for k in range(N)
        ]
        content = {"name": f"HumanEval_{i}", "language": "lua", "results": rows}
        (folder / f"HumanEval_{i}.results.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))


@pytest.mark.parametrize(
    ("name", "file", "content", "options"), [pytest.param(*x, id=f"{x[0]}-{x[1]}") for x in evaluations()]
)
def test_the_population_is_read_as_it_is(tmp_path, name, file, content, options):
    content = content() if callable(content) else content
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    data = read(path, **options)
    assert sorted(data.correct.tolist()) == sorted(CORRECT)
    assert set(data.samples.tolist()) == {N}
    assert data.read_as.startswith(f"{name}; "), data.read_as
    again = read(path, **dict(data.options))
    assert (again.prompt, again.correct.tolist()) == (data.prompt, data.correct.tolist())


def test_multipl_e_is_a_folder_of_a_file_a_problem(tmp_path):
    multipl_e(tmp_path)
    data = read(tmp_path)
    assert dict(zip(data.prompt, data.correct.tolist(), strict=True)) == {
        f"HumanEval_{i}": c for i, c in enumerate(CORRECT)
    }


def logs():
    """Format, file name, content, options; each is the same 24 steps of 20 groups of 4."""
    trl = log(
        lambda t: {
            "loss": 0.0,
            "reward": means(t),
            "reward_std": 0.2,
            "frac_reward_zero_std": degenerate(t),
            "rewards/acc/mean": means(t),
            "step": t,
        }
    )
    rows = [json.loads(x) for x in trl.splitlines()]
    yield "TRL log", "metrics.jsonl", trl, {}
    state = {"global_step": 24, "log_history": [*rows, {"step": 24, "train_runtime": 1.0}]}
    yield "TRL log", "trainer_state.json", json.dumps(state), {}
    stdout = "".join(
        f"\r 1%|x| {t}/24 [00:01]{ {k: v for k, v in row.items() if k != 'step'} }\n"
        for t, row in zip(STEPS, rows, strict=True)
    )
    yield "TRL log", "stdout.txt", "Loading\n" + stdout, {}
    swift = [
        {**{k: v for k, v in row.items() if k != "step"}, "global_step/max_steps": f"{row['step']}/24"} for row in rows
    ]
    yield "ms-swift log", "logging.jsonl", lines([*swift, {"train_runtime": 1.0, "global_step/max_steps": "24/24"}]), {}
    chart = [
        {
            "Step": t,
            "run - train/reward": means(t),
            "run - train/reward__MIN": 0,
            "run - train/reward__MAX": 1,
            "run - train/frac_reward_zero_std": degenerate(t),
        }
        for t in STEPS
    ]
    yield "W&B chart", "chart.csv", as_csv(chart), {}
    history = [
        {
            "_step": t,
            "_runtime": t,
            "train/loss": 0.0,
            "train/reward": means(t),
            "train/rewards/acc/mean": means(t),
            "train/frac_reward_zero_std": degenerate(t),
        }
        for t in STEPS
    ]
    yield "TRL log", "history.csv", as_csv(history), {}
    console = "".join(
        f"(pid=1) step:{t} - batch/solve_none:{none(t)} - batch/solve_all:{all_(t)}"
        f" - batch/solve_partial:{GROUPS - none(t) - all_(t)}"
        f" - critic/score/mean:{means(t)!r}\nother\n"
        for t in STEPS
    )
    yield "verl or rllm log", "console.log", "x" * 700_000 + "\n" + console, {}
    partless = "".join(
        f"step:{t}\n - batch/solve_none:{none(t)}\n - batch/solve_all:{all_(t)}\n - critic/score/mean:{means(t)!r}\n"
        for t in STEPS
    )
    yield "verl or rllm log", "lines.log", partless, {"groups": GROUPS}
    filed = log(
        lambda t: {
            "step": t,
            "data": {
                "critic/score/mean": means(t),
                "batch/solve_none": none(t),
                "batch/solve_all": all_(t),
                "batch/solve_partial": GROUPS - none(t) - all_(t),
            },
        }
    )
    yield "verl or rllm log", "file.jsonl", filed, {}
    prime = log(
        lambda t: {
            "step": t,
            "train/set/reward/mean": means(t),
            "train/set/solved_none": none(t) / GROUPS,
            "train/set/solved_all": all_(t) / GROUPS,
            "train/set/solved_some": 0.5,
        }
    )
    yield "prime-rl metrics", "prime.jsonl", prime, {}
    nemo = log(
        lambda t: {
            "step": t,
            "reward": means(t),
            "baseline_reward/pct_0": none(t) / GROUPS,
            "baseline_reward/pct_1": all_(t) / GROUPS,
            "baseline_reward/pct_mixed": 1 - degenerate(t),
        }
    )
    yield "NeMo-RL log", "nemo.jsonl", nemo, {}
    tinker = log(
        lambda t: {
            "step": t,
            "env/all/reward/total": means(t),
            "env/all/total_episodes": GROUP * GROUPS,
            "env/all/by_group/frac_mixed": 1 - degenerate(t),
            "env/all/by_group/frac_all_good": all_(t) / GROUPS,
            "env/all/by_group/frac_all_bad": none(t) / GROUPS,
        }
    )
    yield "Tinker metrics", "tinker.jsonl", tinker, {}
    slime = "".join(
        f"[2025-01-01] rollout {t}: {{'rollout/raw_reward': {means(t)!r}, 'zero_std/count_0': {none(t)}, "
        f"'zero_std/count_1': {all_(t)}}}\n"
        for t in STEPS
    )
    yield "slime log", "slime.log", slime, {"groups": GROUPS}
    instruct = log(lambda t: {"training_step": t, "real_batch_size_ratio": 1 - degenerate(t), "scores": means(t)})
    yield "open-instruct log", "instruct.jsonl", instruct, {}
    oumi = log(lambda t: {"step": t, "reward": means(t), "grpo/frac_reward_zero_std": degenerate(t), "loss": 0.0})
    yield "oumi log", "oumi.jsonl", oumi, {}
    skyrl = log(
        lambda t: {
            "trainer/global_step": t,
            "reward/avg_raw_reward": means(t),
            "reward/num_zero_variance_filtered": none(t) + all_(t),
        }
    )
    yield "SkyRL log", "skyrl.jsonl", skyrl, {"groups": GROUPS}


@pytest.mark.parametrize(
    ("name", "file", "content", "options"), [pytest.param(*x, id=f"{x[0]}-{x[1]}") for x in logs()]
)
def test_a_log_is_read_as_it_is(tmp_path, name, file, content, options):
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    data = read(path, **options)
    assert isinstance(data, TrainingLog)
    assert data.read_as.startswith(f"{name}; "), data.read_as
    np.testing.assert_allclose(data.reward, [means(t) for t in STEPS], atol=1e-12)
    np.testing.assert_allclose(data.degenerate, [degenerate(t) for t in STEPS], atol=1e-12)
    np.testing.assert_array_equal(data.step, list(STEPS))
    assert data.group_size == GROUP
    again = read(path, **dict(data.options))
    np.testing.assert_array_equal(again.degenerate, data.degenerate)


def test_filtered_groups_are_counted_beside_those_kept(tmp_path):
    """Newer open-instruct: a step keeps its batch and counts what it filtered; the size of the batch is not in it."""
    kept = log(
        lambda t: {
            "training_step": t,
            "batch/percent_solved_mean": means(t),
            "batch/filtered_prompts_zero": none(t),
            "batch/filtered_prompts_solved": all_(t),
        }
    )
    path = tmp_path / "kept.jsonl"
    path.write_bytes(kept if isinstance(kept, bytes) else kept.encode())
    with pytest.raises(ValueError, match=r"counts groups that were filtered out, .* Give groups=, the number kept in"):
        read(path)
    found = read(path, groups=GROUPS)
    filtered = np.array([none(t) + all_(t) for t in STEPS])
    np.testing.assert_allclose(found.degenerate, filtered / (filtered + GROUPS), atol=1e-12)
    np.testing.assert_allclose(found.reward, [means(t) for t in STEPS], atol=1e-12)


def test_openrlhf_and_art_log_deviations_only(tmp_path):
    for name, mean, deviation in (
        ("OpenRLHF", "reward", "group_reward_std"),
        ("ART", "train/reward", "train/reward_std_dev"),
    ):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(log(lambda t, mean=mean, deviation=deviation: {"step": t, mean: means(t), deviation: 0.3}))
        data = read(path)
        assert data.read_as.startswith(f"{name} log; ")
        assert (data.reward_std.tolist(), data.reward_std_of) == ([0.3] * 24, "groups")


def test_verl_logs_count_no_groups(tmp_path):
    path = tmp_path / "run.log"
    path.write_text("".join(f"step:{t} - critic/score/mean:{means(t)!r} - actor/entropy:0.1\n" for t in STEPS))
    data = read(path)
    assert data.read_as.startswith("verl log; ")
    assert np.isnan(data.degenerate).all()


def test_mlflow_metrics_are_a_file_each(tmp_path):
    folder = tmp_path / "run" / "metrics"
    (folder / "train").mkdir(parents=True)
    for name, value in (("train/reward", means), ("train/frac_reward_zero_std", degenerate)):
        (folder / name).write_text("".join(f"1700000000{t:03d} {value(t)!r} {t}\n" for t in STEPS))
    data = read(tmp_path / "run")
    assert data.read_as.startswith("MLflow metrics; ")
    np.testing.assert_allclose(data.degenerate, [degenerate(t) for t in STEPS])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "1700000000001 0.5 x",
            r"^the step must be a number, got 'x' in line 2 of reward\. Mend or remove the line\.$",
        ),
        ("1700000000001 0.5 nan", r"^the step must be a number, got 'nan' in line 2 of reward\."),
        ("1700000000001 half 1", r"^reward must be a number, got 'half' in row 2 of the run\.$"),
        ("1700000000001 inf 1", r"^reward must be a number, got 'inf' in row 2 of the run\.$"),
    ],
)
def test_what_is_no_metric_has_its_place(tmp_path, line, said):
    folder = tmp_path / "run" / "metrics"
    folder.mkdir(parents=True)
    good = "".join(f"170000000000{t} 0.5 {t}\n" for t in range(3))
    (folder / "reward").write_text(good)
    (folder / "loss").write_text(f"1700000000000 inf 0\n{good[20:]}")  # nobody asks for it
    assert read(tmp_path / "run").reward.tolist() == [0.5] * 3
    (folder / "reward").write_text(f"1700000000000 0.5 0\n{line}\n")
    with pytest.raises(ValueError, match=said):
        read(tmp_path / "run")


def test_event_files_need_their_reader(tmp_path):
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(b"\x18\0\0\0\0\0\0\0")
    try:
        import tensorboard
    except ImportError:
        with pytest.raises(ModuleNotFoundError, match="pip install tensorboard"):
            read(path)
    else:
        pytest.skip(f"{tensorboard.__name__} is installed")


REFUSED = {
    "lm-evaluation-harness results": {"results": {"t": {"acc,none": 0.5}}, "config": {}, "versions": {}},
    "SWE-bench report": {"total_instances": 5, "resolved_ids": ["a"], "submitted_instances": 5},
    "code generations": [["def f(): pass", "def f(): return 1"], ["x", "y"]],
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_without_verdicts_are_refused_by_name(tmp_path, name):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(REFUSED[name]))
    with pytest.raises(ValueError, match=rf"^x\.json is {name}, which "):
        read(path)


def test_the_page_of_logs_names_no_column_that_is_not_read():
    page = (Path(__file__).parents[2] / "docs" / "logs.md").read_text(encoding="utf-8")
    table = [line.split(" | ")[1] for line in page.split("## The warnings")[0].splitlines() if line.startswith("| ")][
        1:
    ]
    named = [name for cell in table for name in re.findall(r"`([^`]+)`", cell)]
    ideas = ("mean", "degenerate", "reward_std", "group_std", "samples", "group_size")
    known = " ".join(" ".join(SYNONYMS[idea]) for idea in ideas)
    known += " ".join(" ".join(getattr(x, idea, "") for idea in ideas) for x in FORMATS)
    patterns = [re.escape(x).replace(r"\*", ".*").replace(r"\#", ".*") for x in known.split()]
    assert len(named) > 12
    assert [
        name for name in named if not any(re.fullmatch(f"(.*/)?{x}|{x}", name) or x.endswith(name) for x in patterns)
    ] == []


def test_every_row_of_the_table_has_a_file_here():
    named = {x[0] for x in evaluations()} | {x[0] for x in logs()} | set(REFUSED)
    named |= {"MultiPL-E results", "OpenRLHF log", "ART log", "verl log", "MLflow metrics", "TensorBoard log"}
    assert {known.name for known in FORMATS} == named
