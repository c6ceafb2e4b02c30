"""Which column is what: one table of synonyms, and the kind of a table from its first rows."""

from collections.abc import Mapping
from typing import Any

from rlsignal.data.records import Note
from rlsignal.data.tables import (
    Columns,
    Table,
    Wanted,
    binary,
    hashable,
    is_bool,
    is_share,
    listed,
    missing,
    offers,
    shown,
)

SYNONYMS: dict[str, tuple[str, ...]] = {  # the first that is there is taken; case, spaces and "train/" do not matter
    "prompt": (
        *("prompt_id", "prompt_idx", "prompt_index", "task_id", "problem_id", "question_id", "example_id", "doc_id"),
        *("instance_id", "_ng_task_index", "prompt", "question", "problem", "input", "input_prompt", "query"),
        *("instruction", "task", "key"),
    ),
    "dataset": ("dataset", "dataset_name", "data_source", "benchmark", "task_name", "split", "subset"),
    "group": ("uid", "group_id", "group_uid", "group", "prompt_uid"),
    "step": ("step", "global_step", "training_step", "train_step", "iteration", "policy_version", "epoch"),
    "checkpoint": ("checkpoint", "ckpt", "visit", "model", "model_name", "policy", "run", "run_id"),
    "reward": (
        *("reward", "rewards", "score", "scores", "correct", "is_correct", "accuracy", "acc", "passed", "success"),
        *("resolved", "solved", "correctness", "exact_match", "graded_list", "is_success", "outcome"),
    ),
    "correct": ("correct", "c", "num_correct", "n_correct", "correct_count", "successes", "num_passed", "passes"),
    "samples": (
        *("samples", "n", "num_samples", "n_samples", "total", "num_total", "attempts", "trials", "rollouts"),
        *("num_rollouts", "rollout_count", "n_rollouts"),
    ),
    "rate": ("pass_rate", "solve_rate", "success_rate", "correct_rate"),
    "mean": (
        *("reward", "reward_mean", "mean_reward", "reward_avg", "avg_reward", "critic/score/mean", "score"),
        *("critic/rewards/mean", "rewards/score/mean", "rollout/reward_mean", "reward/avg_raw_reward", "accuracy"),
    ),
    "degenerate": ("frac_reward_zero_std", "degenerate", "frac_zero_std", "zero_std_fraction"),
    "reward_std": ("reward_std", "rollout/reward_std"),
    "group_std": ("group_reward_std", "reward/group_std"),
    "entropy": ("entropy", "entropy_avg", "mean_entropy", "actor/entropy", "policy_entropy", "objective/entropy"),
    "group_size": ("group_size", "num_generations"),
}
UNIT = ("checkpoint", "dataset", "step", "group", "prompt")  # what tells one entry of counts from another
IN_LOGS_ONLY = {"loss", "learning_rate", "grad_norm", "lr", "tokens_per_sec", "num_tokens", "response_length/mean"} | {
    name
    for idea in ("mean", "degenerate", "reward_std", "group_std", "entropy")
    for name in SYNONYMS[idea]
    if name not in SYNONYMS["reward"]
}
OF_ROLLOUTS_ONLY = {"completion", "response", "output", "content", "advantage", "advantages", "output_response"}
NOT_REWARDS = {"loss", "learning_rate", "lr", "grad_norm", "advantage", "advantages"}
HINTS = ("acc", "correct", "pass", "solve", "success", "reward", "score")


def recognise(table: Table, head: list[tuple[int, Any]], wanted: Wanted) -> Columns:
    """The kind of a table and its columns, from its first rows."""
    if table.header is None:
        for place, row in head:
            if not isinstance(row, Mapping):
                raise ValueError(f"a row must be an object with columns, got {shown(row)} in {table.at(place)}.")
    names = list(table.header or dict.fromkeys(name for _, row in head for name in row))
    key = {name: i for i, name in enumerate(names)} if table.header else {name: name for name in names}
    plain = {bare(name): name for name in reversed(names)}

    def cells(name: str) -> list[Any]:
        return [row[key[name]] for _, row in head if (key[name] in row if table.header is None else True)]

    for idea, name in wanted.columns.items():
        if name not in key:
            raise ValueError(f"{idea}={name!r} is no column of {table.name}; it has {listed(names)}.")
    found: dict[str, Any] = {
        idea: next((plain[x] for x in known if x in plain), None) for idea, known in SYNONYMS.items()
    }
    first_mean = found["mean"]
    found.update(wanted.columns)
    if "reward" in wanted.columns:
        found["mean"] = found["reward"]

    notes = []
    if found["group"] and found["prompt"] and "group" not in wanted.columns and all_differ(cells(found["group"])):
        prompts = {hashable(x) for x in cells(found["prompt"])}
        if len(prompts) < len(head):
            text = f"Column {found['group']!r} differs in every row, so it is no group; prompts are grouped by "
            notes.append(Note("group", f"{text}{found['prompt']!r}."))
            found["group"] = None

    keyed = found["prompt"] or found["group"]
    lively = IN_LOGS_ONLY & plain.keys() and not OF_ROLLOUTS_ONLY & plain.keys()
    counted = found["correct"] and found["samples"] and found["correct"] != found["samples"]
    shared = [x for x in cells(found["reward"]) if is_share(x)] if found["reward"] else []
    if found["step"] and found["mean"] and lively and not keyed:
        kind = "log"
    elif counted and "reward" not in wanted.columns and not any(is_bool(x) for x in cells(str(found["correct"]))):
        kind = "counts"
    elif "rate" in wanted.columns or (found["rate"] and not found["reward"]):
        kind = "rates"
    elif found["reward"] and found["samples"] and shared and "reward" not in wanted.columns:
        kind, found["rate"] = "rates", found["reward"]
    else:
        kind = "rollouts"

    ideas = {"log": ("step", "mean", "degenerate", "reward_std", "group_std", "entropy", "samples", "group_size")}
    used = ideas.get(kind, (*UNIT, "reward", "correct", "samples", "rate", "entropy"))
    free = [x for x in names if x not in {found[idea] for idea in UNIT} and bare(x) not in NOT_REWARDS]
    if kind == "log":
        spreads = ("std", "frac", "rate", "len", "loss")
        fair = [x for x in free if any(h in bare(x) for h in HINTS) and not any(s in bare(x) for s in spreads)]
        candidates = tuple(x for x in fair if x != found["mean"] and all(in_unit(v) for v in cells(x)))
    else:
        candidates = tuple(x for x in free if x != found["reward"] and binary(cells(x)))
    if kind == "rollouts" and not found["reward"]:
        numeric = [x for x in free if all(missing(v) or isinstance(v, int | float) for v in cells(x))]
        if len(candidates) != 1 or not OF_ROLLOUTS_ONLY & plain.keys() or {*numeric} - {*candidates}:
            raise ValueError(
                f"no column of {table.name} is known as a reward; it has {listed(names)}. "
                + (f"Name it: {offers(candidates)}." if candidates else "Name the column with reward=.")
            )
        found["reward"] = candidates[0]
        notes.append(Note("reward", f"The only column of 0 and 1, {candidates[0]!r}, is taken for the reward."))
    if kind == "rollouts" and not keyed and not wanted.group_size:
        raise ValueError(
            f"{table.name} does not say which rollouts share a prompt; it has {listed(names)}. Name the column that "
            "does with prompt= or group=, or give group_size= if the rows of a group follow each other."
        )
    names_used = {idea: str(found[idea]) for idea in used if found.get(idea)}
    doubled = [name for name in names_used.values() if names.count(name) > 1]
    if doubled:
        raise ValueError(f"column {doubled[0]!r} stands twice in {table.name}. Rename one of them.")
    about = first_mean if kind == "log" and first_mean != found["mean"] and first_mean else ""
    keys = {idea: key[name] for idea, name in names_used.items()}
    return Columns(kind, keys, names_used, candidates, about, tuple(notes))


def bare(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_").removeprefix("train/")


def all_differ(cells: list[Any]) -> bool:
    """Whether every row has a value of its own."""
    return 1 < len(cells) == len({hashable(x) for x in cells})


def in_unit(cell: Any) -> bool:
    return missing(cell) or is_share(cell) or str(cell) in ("0", "1", "0.0", "1.0")
