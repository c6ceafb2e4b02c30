"""What is no argument at all is refused by every question at its door, by name and with what it got."""

import numpy as np
import pytest

from rlsignal import Beta, compare, diagnose, read, recommend_group_size, track
from rlsignal.data.gather import NOT_STATED, with_group_size
from rlsignal.diagnosis.prompts import list_prompts
from rlsignal.diagnosis.track import first_warning

COUNTS = {"prompt": list(range(60)), "n": [8] * 60, "c": [0, 0, 1, 5, 8, 3] * 10}
LOG = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5 + t / 200} for t in range(80)]
OPTIONS = ("rollouts", "prompts", "largest", "batch", "draws", "steps", "pool", "logged_at", "groups")
OPTIONS += ("rollout_seconds", "tokens", "between", "scores")

CALLS = {
    recommend_group_size: ({"p": Beta(0.3, 0.3)}, OPTIONS),
    diagnose: ({"data": COUNTS}, ("group_size", "batch", "fewest")),
    compare: ({"checkpoints": {"a": COUNTS, "b": COUNTS}}, ("group_size", "budgets")),
    track: ({"data": LOG, "group_size": 8}, ("group_size", "window", "groups")),
    list_prompts: ({"data": COUNTS}, ("group_size",)),
    first_warning: ({"share": np.full(50, 0.9), "groups": 8}, ("share", "groups", "window")),
}
WRONG = (object(), "x", (), (2,), (1, 2, 3), [[1.0, 2.0]], {}, float("nan"), 5.5)
CASES = [
    pytest.param(function, name, wrong, id=f"{function.__name__}-{name}-{i}")
    for function, (_, names) in CALLS.items()
    for name in names
    for i, wrong in enumerate(WRONG)
    if not (name == "share" and i in (2, 3, 4, 5))
    and not (name == "budgets" and i in (3, 4, 5))
    and not (name in ("rollout_seconds", "between") and i == 8)
]


@pytest.mark.parametrize(("function", "name", "wrong"), CASES)
def test_what_is_no_argument_is_refused_by_name(function, name, wrong):
    with pytest.raises(ValueError, match=rf"(?s)\b({'g|' * (name == 'group_size')}{name})\b.* must .*got .*\.$"):
        function(**{**CALLS[function][0], name: wrong})


@pytest.mark.parametrize("name", ["logged_at", "groups"])
def test_what_is_of_a_log_is_checked_there_and_refused_elsewhere(name):
    with pytest.raises(ValueError, match=rf"^{name} must be left out, got 8: it is of a log, which p is not\.$"):
        recommend_group_size(read(COUNTS), **{name: 8})
    with pytest.raises(ValueError, match=rf"^({name}|g) must be .*got \[8, 8\]"):
        recommend_group_size(read(LOG), **{"logged_at": 8, name: [8, 8]})


@pytest.mark.parametrize("alike", [(30, 30), (1_000_000, 1_000_001), (1, 0.1 + 0.2, 0.3)])
def test_budgets_that_print_alike_are_refused(alike):
    with pytest.raises(ValueError, match=r"^budgets must differ in six digits, which name them, got two that are "):
        compare({"a": COUNTS, "b": COUNTS}, budgets=alike)


def test_each_budget_has_its_own_entry():
    found = compare({"a": COUNTS, "b": COUNTS}, budgets=(1_000_000, 1_000_010, 30))
    assert list(found.summary["forecast"]) == ["1e+06", "1.00001e+06", "30"]
    assert [name for name in found.best if name.startswith("forecast")] == [
        "forecast at 1e+06",
        "forecast at 1.00001e+06",
        "forecast at 30",
    ]


def test_what_was_read_says_the_group_size_that_was_given():
    """The reader's sentence and the one that replaces it are one."""
    log = read(LOG)
    assert NOT_STATED in log.read_as
    assert (
        track(log, 8).read_as
        == with_group_size(log.read_as, 8)
        == log.read_as.replace(NOT_STATED, "groups of 8, as given")
    )
    rows = read([{"step": t, "reward_mean": t / 8, "loss": 0.0} for t in range(9)])
    assert NOT_STATED in rows.read_as
    assert diagnose(rows, 8).read_as == with_group_size(rows.read_as, 8)


def test_the_cost_of_tokens_is_their_ratio():
    one, other, free = (
        recommend_group_size(Beta(0.3, 0.3), tokens=tokens) for tokens in ((200, 400), np.array([1.0, 2.0]), None)
    )
    assert one.summary == other.summary != free.summary
