"""The study of budgets: the chain is exact for two responses, and shared weights are seen to break it."""

import pytest

from experiments.budget import Task, best_sizes, quantiles, under_a_budget
from rlsignal import GRPO, Beta
from rlsignal.sim import Recipe

pytestmark = pytest.mark.slow


def test_simulated_runs_agree_with_the_chain_where_it_is_exact():
    tasks = (
        (Task("two responses", Recipe(prompts=256, responses=2, correct=1), 0.0), (0.3,)),
        (Task("shared", Recipe(prompts=256, responses=8, correct=2), 1.0, features=16), (0.3,)),
    )
    found = under_a_budget(tasks=tasks, estimators=(GRPO,), budgets=(16, 64), sizes=(4,), draws=8)
    assert len(found["rows"]) == len(found["best"]) == 2 * 2
    for row in found["rows"]:
        if row["task"] == "two responses":
            assert abs(row["simulated"] - row["chain"]) < 5 * row["error"]
    shared = [row["simulated"] - row["chain"] for row in found["rows"] if row["task"] == "shared"]
    assert max(shared) > 0.05


def test_starts_are_the_population():
    p = quantiles(0.2, 0.3, 4096)
    assert p.mean() == pytest.approx(0.2, abs=1e-4)
    assert p.var() == pytest.approx(Beta(0.2, 0.3).dispersion * 0.16, rel=1e-2)


def test_sizes_that_errors_do_not_separate():
    common = {"task": "a", "estimator": "GRPO", "dispersion": 0.3, "rollouts": 64, "error": 0.01}
    ends = zip((2, 4, 8), (0.5, 0.6, 0.59), (0.61, 0.59, 0.55), strict=True)
    rows = [{**common, "group_size": g, "chain": chain, "simulated": drawn} for g, chain, drawn in ends]
    (best,) = best_sizes(rows)
    assert [best[key] for key in ("chain", "simulated", "low", "high")] == [4, 2, 2, 4]
