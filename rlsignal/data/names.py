"""Names that people and programs give to columns, by what they stand for."""

import re

from rlsignal.data.formats import bare, pattern


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SYNONYMS: dict[str, tuple[str, ...]] = {  # the first that is there is taken; see `bare` for what does not matter
    "prompt": _names(
        "prompt_id prompt_idx prompt_index task_id problem_id problem_idx question_id question_idx "
        "example_id example_idx doc_id instance_id _ng_task_index qid item_id problem_index question_index "
        "task_idx task_index prompt_hash prompt question problem input input_prompt query instruction prompt_text "
        "id idx index unique_id uuid example item problem_name task key name"
    ),
    "dataset": _names(
        "dataset dataset_name data_source benchmark task_name split subset source task domain category subject "
        "set suite bench language lang level difficulty topic type year exam competition contest environment env"
    ),
    "group": _names("uid group_id group_uid group group_idx prompt_uid"),
    "step": _names(
        "step global_step training_step train_step policy_version _step global_step/max_steps trainer/global_step"
    ),
    "repeat": _names(
        "repeat epoch trial run seed iteration attempt sample trial_id run_id attempt_id sample_id "
        "sample_idx sample_index rollout_idx rollout_index rollout_id repeat_idx completion_id "
        "completion_idx generation_idx response_idx repetition trial_idx seed_id"
    ),
    "checkpoint": _names("checkpoint ckpt visit model model_name policy"),
    "filter": _names("filter section"),
    "reward": _names(
        "reward rewards score scores correct is_correct accuracy acc passed success resolved is_resolved "
        "solved correctness exact_match graded_list is_success outcome pass verdict grade status result "
        "total_reward final_reward successful"
    ),
    "correct": _names(
        "correct c num_correct n_correct correct_count successes num_passed passes k count_correct n_passed "
        "correct_num num_success solved_count pass_count n_success"
    ),
    "samples": _names(
        "samples n num_samples n_samples total num_total attempts trials rollouts num_rollouts "
        "rollout_count n_rollouts total_count num_attempts num_trials n_trials n_attempts sample_count "
        "count"
    ),
    "rate": _names("pass_rate solve_rate success_rate correct_rate pass@1 avg@* mean@* *_pass_rate *solve_rate*"),
    "mean": _names(
        "reward reward_mean mean_reward reward_avg avg_reward critic/score/mean score critic/rewards/mean "
        "rewards/score/mean rollout/reward_mean reward/avg_raw_reward reward/mean rewards/mean "
        "rollout/raw_reward accuracy"
    ),
    "degenerate": _names(
        "frac_reward_zero_std degenerate frac_zero_std zero_std_fraction zvf zero_variance "
        "zero_variance_fraction zero_variance_frac frac_degenerate degenerate_fraction frac_zero_variance"
    ),
    "reward_std": _names("reward_std rollout/reward_std critic/score/std std_reward"),
    "group_std": _names("group_reward_std reward/group_std reward_std_dev"),
    "entropy": _names("entropy entropy_avg mean_entropy actor/entropy policy_entropy objective/entropy"),
    "group_size": _names("group_size num_generations n_samples_per_prompt rollouts_per_prompt"),
}
_SHARES = re.compile("|".join(pattern(text).pattern for text in SYNONYMS["rate"]))
ROLLOUTS = _names(  # what logs call the rollouts of a row
    "samples num_samples n_samples rollouts num_rollouts rollout_count n_rollouts"
)
COUNTED = (  # how logs count groups without a signal, beside the shares of SYNONYMS["degenerate"]
    "groups_skipped / groups_total",
    "skipped_groups / skipped_groups + n_groups",
    "degenerate_groups / n_groups",
    "zero_variance_groups / n_groups",
)
UNIT = ("checkpoint", "dataset", "filter", "step", "group", "prompt", "repeat")  # what tells entries apart
KEYS = {name for idea in UNIT if idea != "filter" for name in SYNONYMS[idea]}
IN_LOGS_ONLY = {"loss", "learning_rate", "grad_norm", "lr", "tokens_per_sec", "num_tokens", "response_length/mean"} | {
    name
    for idea in ("mean", "degenerate", "reward_std", "group_std", "entropy")
    for name in SYNONYMS[idea]
    if name not in SYNONYMS["reward"] and name not in ("degenerate", "zero_variance", "zvf")
}
OF_ROLLOUTS_ONLY = set(
    _names("completion completions response responses output content advantage advantages output_response")
)
NEVER_REWARDS = set(
    _names(
        "loss learning_rate lr grad_norm advantage advantages gts gt pred preds target answer answers "
        "temperature batch batch_idx batch_index ground_truth label prediction expected expected_answer gold "
        "reference pred_score n k seed epoch sample trial attempt run iteration level difficulty turn turns "
        "num_turns rank shard masks zero_variance truncated is_truncated finish_reason extracted_answer "
        "model_answer mask total count samples n_samples num_samples fold done terminated split format number "
        "position version worker rollout step size length hash timestamp time"
    )
)
NOT_KEYS = _names(  # ends of names
    "_length _len _tokens _count _time _mask _ids _lengths reason timestamp"
)
NOT_BY_NAME = _names(  # ends of names that are no rewards
    "_id _idx _index _tokens _length _len _time _token _ids _mask _seed"
)
OF_SEVERAL = _names(  # parts of names of averages and settings
    "max_ min_ mean avg average ratio std rate format valid len overall num_"
)
HINTS = _names(  # parts of names of rewards, the likeliest first
    "correct pass solve success accura acc match reward score verdict resolved"
)
SAMPLE_STEMS = set(
    _names(  # what numbered columns that hold a sample each are called
        "sample samples run trial attempt rollout response completion gen generation try correct reward score "
        "pass passed result seed repeat s r acc success epoch"
    )
)
LOG_STEPS = ("iteration", "iter", "update", "episode", "epoch", "training_iteration")  # in logs, where no step is
WEAK_KEYS = ("task", "key", "name", "example", "item", "index", "id", "idx", "uuid")  # prompts only where they differ
RESPONSES = ("responses", "outputs", "completions", "generations", "answers", "predictions", "preds", "samples")
WEAK_SETS = (
    "set",
    "language",
    "lang",
    "level",
    "difficulty",
    "topic",
    "type",
    "year",
    "env",
)  # perhaps labels of rollouts


def is_share_name(name: str) -> bool:
    """Whether a column of this name holds shares of correct samples.

    >>> from rlsignal.data.names import is_share_name
    >>> [is_share_name(x) for x in ("solve_rate_64", "Avg@8", "reward")]
    [True, True, False]
    """
    return _SHARES.fullmatch(bare(name)) is not None
