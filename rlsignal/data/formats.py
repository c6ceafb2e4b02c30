"""The table of known formats: by what a file is recognised, and which of its columns is what. Opens and counts nothing.

A format is one row of `FORMATS`; docs/formats.md is made from them. Where no row fits, `columns` goes by synonyms.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlsignal.data.cells import LETTERS, WORDS

WIDEST = 3000  # names that are looked at, of one value
LOG_MEAN = "reward | reward/mean | mean_reward | reward_mean | critic/score/mean | critic/rewards/mean"


@dataclass(frozen=True, kw_only=True)
class Format:
    """One known format.

    Patterns name columns, nested ones with dots; `*` is any text, " | " separates alternatives, the first that is there
    is taken. Where a reward's `*` matches several columns, the caller is asked which.

    name, where : what it is called, and the program that writes it.
    has : patterns, all of which stand in the first rows, or in the document; `[]` is any item of a list.
    lacks : patterns of which none does.
    kind : "rollouts", "counts", "rates" or "log".
    rows : where the rows lie inside a document: "samples[]", "eval.*[]" (the key of `*` becomes the column `key`).
    outer : nested fields of the document that its rows take along.
    prompt, repeat, dataset, step, checkpoint, group, filter, correct, wrong, samples, rate : columns.
    reward : columns; several names joined by " & " must all be correct, "label = name & name" names the choice.
    mean, degenerate, group_std, group_size : columns of a log. `degenerate` may be a formula: a sum, a sum
        over another ("a + b / a + b + c", "a / groups"), or "1 - a"; `#` stands for all columns that match.
    words, other : how a word becomes 0 or 1, and what all other words are.
    summed : a list of rewards belongs to one rollout, which has their sum.
    each : each row is a group of its own.
    n : samples of each prompt, where the format fixes them.
    data_set_in_name : a regular expression of file names, whose group is the data set.
    refuse : why it cannot be read, and what can.
    trap : a sentence for readers of the docs.
    """

    name: str
    where: str
    has: str
    lacks: str = ""
    kind: str = "rollouts"
    rows: str = ""
    outer: str = ""
    prompt: str = ""
    repeat: str = ""
    dataset: str = ""
    step: str = ""
    checkpoint: str = ""
    group: str = ""
    filter: str = ""
    reward: str = ""
    correct: str = ""
    wrong: str = ""
    samples: str = ""
    rate: str = ""
    mean: str = ""
    degenerate: str = ""
    group_std: str = ""
    group_size: str = ""
    words: Mapping[str, int] = field(default_factory=lambda: WORDS)
    other: int | None = None
    summed: bool = False
    each: bool = False
    n: int | None = None
    data_set_in_name: str = ""
    refuse: str = ""
    trap: str = ""


INSPECT = {**WORDS, **LETTERS}
FORMATS: tuple[Format, ...] = (
    # Evaluations
    Format(
        name="Inspect log",
        where="inspect_ai: .eval and .json",
        has="samples[].id samples[].epoch",
        rows="samples[]",
        outer="eval.model eval.task",
        prompt="id",
        repeat="epoch",
        dataset="eval.task",
        checkpoint="eval.model",
        reward="scores.*.value",
        words=INSPECT,
        trap="`epoch` is the repeat. Of several scorers one is named with scorer=. P, partly correct, is not binary.",
    ),
    Format(
        name="lm-evaluation-harness samples",
        where="lm_eval --log_samples: samples_*.jsonl",
        has="doc_id doc target",
        prompt="doc_id",
        filter="filter",
        reward="@metrics | @known",
        data_set_in_name=r"samples_(.+?)(?:_\d{4}-\d\d-\d\d.*)?\.jsonl?.*",
        trap="Two filters of one response are not two rollouts: one is named with filter=.",
    ),
    Format(
        name="lm-evaluation-harness results",
        where="lm_eval: results_*.json",
        has="results config versions",
        lacks="samples[]",
        refuse="holds averages over prompts only. Run lm_eval with --log_samples and read samples_*.jsonl",
    ),
    Format(
        name="lighteval details",
        where="lighteval: details_*.parquet",
        has="doc.id metric.* model_response",
        kind="rates",
        prompt="doc.id",
        dataset="doc.task_name",
        rate="metric.*",
        samples="model_response.text",
        trap="The metric may be a share of the `model_response.text` samples.",
    ),
    Format(
        name="EvalPlus results",
        where="evalplus: *_eval_results.json",
        has="eval.*[].base_status",
        rows="eval.*[]",
        prompt="task_id | key",
        reward="plus = base_status & plus_status | base = base_status",
        other=0,
        trap="A rollout passes plus where `base_status` and `plus_status` both are pass. Lists of failing inputs are "
        "no rewards.",
    ),
    Format(
        name="BigCodeBench results",
        where="bigcodebench: *_eval_results.json",
        has="eval.*[].status",
        rows="eval.*[]",
        prompt="task_id | key",
        reward="status",
        other=0,
    ),
    Format(
        name="HumanEval results",
        where="human-eval: *_results.jsonl",
        has="task_id completion passed",
        prompt="task_id",
        reward="passed",
    ),
    Format(
        name="MultiPL-E results",
        where="MultiPL-E: *.results.json, a file a problem",
        has="name results[].exit_code",
        rows="results[]",
        prompt="name",
        dataset="language",
        reward="status | exit_code",
        words={"ok": 1, "0": 1},
        other=0,
    ),
    Format(
        name="OpenCompass details",
        where="OpenCompass: results/*.json with dump_details",
        has="details.*.correct",
        rows="details.*",
        prompt="example_abbr | key",
        reward="correct",
    ),
    Format(
        name="OpenCompass details",
        where="OpenCompass: G-pass@k",
        has="details[].correct details[].example_abbr",
        rows="details[]",
        prompt="example_abbr",
        reward="correct",
    ),
    Format(
        name="Qwen math harness",
        where="Qwen2.5-Math evaluation (simpleRL, limit-of-RLVR): *.jsonl",
        has="idx gt pred score",
        prompt="idx",
        reward="score",
        trap="`pred_score` is a reward model's and is never read.",
    ),
    Format(
        name="LiveCodeBench results",
        where="LiveCodeBench: *_eval_all.json",
        has="question_id graded_list",
        prompt="question_id",
        reward="graded_list",
    ),
    Format(
        name="MathArena outputs",
        where="MathArena",
        has="idx correct messages",
        prompt="idx",
        checkpoint="model_name | model",
        reward="correct",
    ),
    Format(
        name="tau2-bench simulations",
        where="tau2-bench: data/simulations/*.json",
        has="simulations[].task_id simulations[].reward_info.reward",
        rows="simulations[]",
        outer="info.environment_info.domain_name",
        dataset="info.environment_info.domain_name",
        prompt="task_id",
        repeat="trial",
        reward="reward_info.reward",
    ),
    Format(
        name="tau-bench results",
        where="tau-bench: results/*.json",
        has="task_id trial reward",
        prompt="task_id",
        repeat="trial",
        reward="reward",
    ),
    Format(
        name="terminal-bench results",
        where="terminal-bench: results.json",
        has="results[].task_id results[].is_resolved",
        rows="results[]",
        prompt="task_id",
        reward="is_resolved",
        trap="`accuracy` beside the results is an average over all of them.",
    ),
    Format(
        name="SWE-bench report",
        where="SWE-bench: report.json",
        has="total_instances resolved_ids",
        refuse="lists resolved instances of one attempt each. Put one row per attempt, instance_id and resolved",
    ),
    Format(
        name="code generations",
        where="bigcode-evaluation-harness: generations.json",
        has="[][]",
        refuse="holds texts and no verdicts. Evaluate them, and read the results",
    ),
    # One row a prompt, with how often it was solved
    Format(
        name="Big-Math",
        where="Big-Math-RL-Verified",
        has="problem llama8b_solve_rate",
        kind="rates",
        prompt="problem",
        rate="llama8b_solve_rate",
        n=64,
        trap="Shares of 64 samples.",
    ),
    Format(
        name="Skywork-OR1",
        where="Skywork-OR1-RL-Data",
        has="extra_info.model_difficulty.*",
        kind="counts",
        prompt="extra_info.index | prompt",
        dataset="data_source",
        wrong="extra_info.model_difficulty.*",
        n=16,
        trap="The column counts incorrect samples of 16; of several models one is named with scorer=.",
    ),
    Format(
        name="OpenR1-Math",
        where="OpenR1-Math-220k",
        has="correctness_math_verify generations",
        prompt="uuid | problem",
        reward="correctness_math_verify",
    ),
    # Dumps of rollouts
    Format(
        name="verl rollouts",
        where="verl: rollout_data_dir/<step>.jsonl",
        has="input output score",
        prompt="input",
        dataset="data_source",
        step="step",
        reward="score",
        trap="No id: rollouts of a step share a prompt if they share its text. Scores of -1 and 1 need threshold=0.",
    ),
    Format(
        name="verifiers results",
        where="verifiers, prime-rl: results.jsonl",
        has="example_id reward",
        prompt="example_id",
        dataset="task | env_id",
        reward="reward",
        trap="`reward` may be a weighted sum; a column of 0 and 1 is then named with reward=.",
    ),
    Format(
        name="TRL completions",
        where="TRL: completions/completions_<step>.parquet",
        has="prompt completion advantage",
        prompt="prompt",
        step="step",
        reward="@others",
        trap="A column for each reward function: of several, one is named with reward=.",
    ),
    Format(
        name="ms-swift completions",
        where="ms-swift: completions.jsonl, a line a step",
        has="prompt completion advantages",
        prompt="prompt",
        step="step",
        reward="@others",
    ),
    Format(
        name="Tinker rollout summaries",
        where="Tinker cookbook: *rollout_summaries.jsonl",
        has="group_idx total_reward",
        group="group_idx",
        step="iteration",
        dataset="split | dataset",
        reward="total_reward",
    ),
    Format(
        name="open-instruct rollouts",
        where="open-instruct: *_rollouts_*.jsonl",
        has="prompt_idx sample_idx reward",
        prompt="prompt_idx",
        dataset="dataset",
        step="step",
        reward="reward",
        trap="Rewards of 0 and 10 need threshold=5.",
    ),
    Format(
        name="SkyRL evaluation dump",
        where="SkyRL: dumped_evals/*.jsonl",
        has="input_prompt output_response score",
        prompt="input_prompt",
        dataset="data_source | env_class",
        reward="score",
        summed=True,
        trap="`score` may list the rewards of tokens: they are one rollout, which has their sum.",
    ),
    Format(
        name="NeMo Gym rollouts",
        where="NeMo Gym: rollouts.jsonl",
        has="responses_create_params.input reward",
        prompt="_ng_task_index",
        repeat="_ng_rollout_index",
        reward="reward",
        trap="Without `_ng_task_index`, give group_size= for consecutive rows.",
    ),
    Format(
        name="NeMo-RL training data",
        where="NeMo-RL: train_data_step<N>.jsonl",
        has="content rewards",
        lacks="prompt",
        reward="rewards",
        trap="No key: consecutive rows are a group, of the size that group_size= names.",
    ),
    Format(
        name="atropos groups",
        where="atropos: *.jsonl",
        has="scores tokens masks",
        reward="scores",
        each=True,
        trap="A row is a group. Masks and tokens are no rewards.",
    ),
    Format(
        name="OpenRLHF filtered groups",
        where="OpenRLHF: lines of dynamic filtering, `scores=[...]`",
        has="filtered_scores",
        reward="filtered_scores",
        each=True,
        trap="A line is a group that was filtered out; the groups kept are not printed.",
    ),
    # Training logs
    Format(
        name="Tinker metrics",
        where="Tinker cookbook: metrics.jsonl",
        has="env/*/by_group/frac_mixed",
        kind="log",
        step="step | progress/batch",
        mean="env/*/reward/total",
        degenerate="env/*/by_group/frac_all_good + env/*/by_group/frac_all_bad",
        samples="env/*/total_episodes",
    ),
    Format(
        name="prime-rl metrics",
        where="prime-rl: metrics.jsonl",
        has="*solved_none *solved_all",
        kind="log",
        step="step",
        mean="*/reward/mean | reward/*/mean | reward/mean",
        degenerate="*solved_none + *solved_all",
    ),
    Format(
        name="verl or rllm log",
        where="verl console or file logger, with rllm's counts",
        has="batch/solve_none batch/solve_all",
        kind="log",
        step="step",
        mean="critic/score/mean | critic/rewards/mean | reward/mean",
        degenerate="batch/solve_none + batch/solve_all / batch/solve_none + batch/solve_all + batch/solve_partial"
        " | batch/solve_none + batch/solve_all / groups",
        trap="`batch/solve_none` and `batch/solve_all` count groups; without `batch/solve_partial`, groups= says of "
        "how many.",
    ),
    Format(
        name="verl log",
        where="verl: console, or file logger",
        has="critic/score/mean",
        kind="log",
        step="step",
        mean="critic/score/mean",
        trap="No column counts degenerate groups: dump the rollouts.",
    ),
    Format(
        name="NeMo-RL log",
        where="NeMo-RL",
        has="baseline_reward/pct_0 baseline_reward/pct_1",
        kind="log",
        step="step",
        mean="reward | mean_reward | rewards/mean | total_reward/mean",
        degenerate="baseline_reward/pct_0 + baseline_reward/pct_1",
        trap="Of leave-one-out baselines: a group with one success counts as `pct_0`.",
    ),
    Format(
        name="slime log",
        where="slime, miles: console `rollout N: {...}`",
        has="zero_std/count_*",
        kind="log",
        step="step | rollout/step | rollout_id",
        mean="rollout/raw_reward | rollout/rewards | raw_reward",
        degenerate="zero_std/count_# / groups",
        trap="Counts groups; groups= says of how many.",
    ),
    Format(
        name="open-instruct log",
        where="open-instruct",
        has="real_batch_size_ratio",
        kind="log",
        step="step | training_step | episode",
        mean="objective/verifiable_correct_rate | val/solve_rate | scores",
        degenerate="1 - real_batch_size_ratio",
    ),
    Format(
        name="open-instruct log",
        where="open-instruct, newer",
        has="batch/filtered_prompts_zero batch/filtered_prompts_solved",
        kind="log",
        step="step | training_step | episode",
        mean="batch/percent_solved_mean",
        degenerate="batch/filtered_prompts_zero + batch/filtered_prompts_solved / batch/filtered_prompts_zero + "
        "batch/filtered_prompts_solved + groups",
        trap="Filtered groups are counted beside those kept, whose number groups= says.",
    ),
    Format(
        name="oumi log",
        where="oumi",
        has="grpo/frac_reward_zero_std",
        kind="log",
        step="step | global_step",
        mean=LOG_MEAN + " | grpo/reward",
        degenerate="grpo/frac_reward_zero_std",
    ),
    Format(
        name="SkyRL log",
        where="SkyRL",
        has="reward/num_zero_variance_filtered",
        kind="log",
        step="step | trainer/global_step",
        mean="reward/avg_raw_reward",
        degenerate="reward/num_zero_variance_filtered / groups",
        trap="Counts groups; groups= says of how many.",
    ),
    Format(
        name="OpenRLHF log",
        where="OpenRLHF",
        has="group_reward_std reward",
        lacks="frac_reward_zero_std",
        kind="log",
        step="step | global_step",
        mean="rollout/reward_mean | reward",
        group_std="group_reward_std",
        trap="`dynamic_filtering_pass_rate` is a share of groups kept, by a band of means and not by variance.",
    ),
    Format(
        name="ART log",
        where="ART (OpenPipe)",
        has="train/reward_std_dev",
        kind="log",
        step="step | training_step",
        mean="train/reward",
        group_std="train/reward_std_dev",
    ),
    Format(
        name="W&B chart",
        where="Weights & Biases: CSV of a chart, columns `run - metric`, `__MIN`, `__MAX`",
        has="step * - *",
        kind="log",
        step="step",
        mean=LOG_MEAN,
        degenerate="frac_reward_zero_std",
        trap="Several runs are several logs: one is named with filter=.",
    ),
    Format(
        name="TensorBoard log",
        where="TensorBoard: events.out.tfevents.*",
        has="wall_time step tag",
        kind="log",
        step="step",
        mean=LOG_MEAN,
        degenerate="frac_reward_zero_std",
        trap="Needs the package tensorboard.",
    ),
    Format(
        name="MLflow metrics",
        where="MLflow: a file a metric, `timestamp value step` a line",
        has="metrics/*",
        kind="log",
        step="step",
        mean=LOG_MEAN,
        degenerate="frac_reward_zero_std",
    ),
    Format(
        name="TRL log",
        where="TRL: trainer_state.json",
        has="log_history[].reward",
        kind="log",
        rows="log_history[]",
        step="step",
        mean="reward",
        degenerate="frac_reward_zero_std",
        trap="With several reward functions `reward` is their weighted sum, and `frac_reward_zero_std` speaks of it: "
        "both are kept, the mean only where it is binary. Before 0.27.0 `reward_std` is the mean over groups of the "
        "s.d. inside them (ddof 1), later that of the batch.",
    ),
    Format(
        name="ms-swift log",
        where="ms-swift: logging.jsonl",
        has="reward global_step/max_steps",
        kind="log",
        step="global_step/max_steps",
        mean="reward",
        degenerate="frac_reward_zero_std",
    ),
    Format(
        name="TRL log",
        where="TRL: CSV, W&B history, or the dicts it prints",
        has="reward rewards/*",
        kind="log",
        step="step | global_step | _step",
        mean="reward",
        degenerate="frac_reward_zero_std",
    ),
    Format(
        name="TRL log",
        where="TRL",
        has="reward frac_reward_zero_std",
        kind="log",
        step="step | global_step | _step",
        mean="reward",
        degenerate="frac_reward_zero_std",
    ),
)


def match(values: Sequence[Any], of: str = "") -> Format | None:
    """The format of a document, or of first rows; `of` names it where the file itself says what wrote it."""
    if of:
        return next((known for known in FORMATS if known.name == of), None)
    names = {bare(name) for value in values for name in shape(value)}
    for known in FORMATS:
        if all(any(pattern(one).fullmatch(name) for name in names) for one in known.has.split()) and not any(
            pattern(one).fullmatch(name) for one in known.lacks.split() for name in names
        ):
            return known
    return None


def shape(value: Any, *, lists: bool = True) -> dict[str, tuple[Any, ...]]:
    """The names of what a value holds, nested ones with dots, and where they lie.

    >>> from rlsignal.data.formats import shape
    >>> shape({"id": 3, "scores": {"match": {"value": "C"}}, "tries": [{"ok": 1}]}, lists=False)["scores.match.value"]
    ('scores', 'match', 'value')
    """
    found: dict[str, tuple[Any, ...]] = {}

    def look(value: Any, name: str, path: tuple[Any, ...]) -> None:
        if len(found) >= WIDEST or len(path) > 8:
            return
        if name:
            found.setdefault(name, path)
        if isinstance(value, Mapping):
            for key, inner in list(value.items())[:400]:
                look(inner, f"{name}.{key}" if name else str(key), (*path, key))
        elif lists and isinstance(value, list):
            if not name and value and all(isinstance(x, str) for x in value):
                found["[][]"] = path
            for inner in value[:4]:
                if isinstance(inner, dict):
                    look(inner, f"{name}[]", (*path, 0))
                elif isinstance(inner, list) and inner and all(isinstance(x, str) for x in inner):
                    found.setdefault(f"{name}[][]", path)

    look(value, "", ())
    return found


def pattern(text: str) -> re.Pattern[str]:
    """A pattern as a regular expression; `*` and `#` match any text."""
    if text not in _PATTERNS:
        _PATTERNS[text] = re.compile(re.escape(bare(text)).replace(r"\*", "(.*)").replace(r"\#", "(.*)"))
    return _PATTERNS[text]


_PATTERNS: dict[str, re.Pattern[str]] = {}


def bare(name: Any) -> str:
    """A name as patterns and synonyms have it: lower case, without "train/" and the like.

    >>> from rlsignal.data.formats import bare
    >>> bare("train/Problem ID")
    'problem_id'
    """
    plain = str(name).strip().lower().replace(" ", "_").replace("-", "_")
    for prefix in ("data.", "metrics.", "train/", "global/train/"):
        plain = plain.removeprefix(prefix)
    return plain


def inside(value: Any, known: Format) -> Iterator[dict[str, Any]]:
    """The rows of a document, each with the plain fields of what encloses it.

    >>> from rlsignal.data.formats import Format, inside
    >>> rows = Format(name="", where="", has="", rows="eval.*[]")
    >>> list(inside({"date": "x", "eval": {"a": [{"status": "pass"}]}}, rows))
    [{'date': 'x', 'key': 'a', 'status': 'pass'}]
    """
    steps = known.rows.replace("[]", ".[]").split(".")
    outer = {}
    for name in known.outer.split():
        path = shape(value, lists=False).get(name)
        if path is not None:
            outer[name] = reach(value, path)

    def descend(value: Any, steps: Sequence[str], outer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if not steps:
            if isinstance(value, dict):
                yield {**outer, **value}
            return
        step, rest = steps[0], steps[1:]
        if isinstance(value, dict):
            plain = {key: x for key, x in value.items() if not isinstance(x, dict | list)}
            if step == "*":
                for key, x in value.items():
                    yield from descend(x, rest, {**outer, "key": key})
            elif step in value:
                yield from descend(value[step], rest, {**outer, **plain})
        elif isinstance(value, list) and step == "[]":
            for x in value:
                yield from descend(x, rest, outer)

    yield from descend(value, steps, outer)


def reach(value: Any, path: Sequence[Any]) -> Any:
    """What lies at a path; None where there is nothing."""
    for key in path:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(key, int) and isinstance(value, list | tuple) and key < len(value):
            value = value[key]
        else:
            return None
    return value
