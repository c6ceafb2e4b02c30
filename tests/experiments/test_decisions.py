"""The studies of intervals and verdicts: how they count, and that what they found is what the pages promise."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments import coverage, decisions, intervals
from rlsignal import read
from rlsignal.inference.intervals import Estimate

EVIDENCE = Path(decisions.PLACE).parent


def evidence(name):
    return json.loads((EVIDENCE / f"{name}.json").read_text(encoding="utf-8"))["rows"]


class TestCounting:
    @pytest.mark.parametrize(
        ("verdict", "checkpoint", "ends", "count"),
        [
            ("sample more", "0", [[0.1, 0.9]], "withheld"),
            ("start from", "1", [[0.1, 0.9]], "right"),
            ("start from", "0", [[0.1, 0.9]], "wrong"),
            ("start from", "0", [[0.5, 0.5]], "wrong"),  # of two equals neither is the better start
            ("start from", "0", [[0.9, 0.1], [0.1, 0.9]], "wrong"),
            ("depends on the budget", "", [[0.9, 0.1], [0.1, 0.9]], "right"),
            ("depends on the budget", "", [[0.9, 0.1], [0.9, 0.1]], "wrong"),
            ("tie", "0", [[0.5, 0.51]], "right"),
            ("tie", "0", [[0.5, 0.6]], "wrong"),
        ],
    )
    def test_a_verdict_is_judged_by_the_end_points(self, verdict, checkpoint, ends, count):
        assert decisions._of_compare(verdict, checkpoint, ends) == count

    def test_thinned_samples_are_those_of_the_recorded_prompts(self):
        whole = read([{"prompt": i, "n": 20, "c": i % 21} for i in range(210)])
        drawn = [intervals._thinned(np.random.default_rng(seed), whole, 5) for seed in range(200)]
        shares = np.array([float(np.mean(x.correct)) / 5 for x in drawn])
        assert {int(n) for x in drawn for n in x.samples} == {5}
        assert shares.mean() == pytest.approx(0.5, abs=4 * shares.std() / 200**0.5)

    def test_an_interval_holds_its_ends(self):
        assert intervals.held(Estimate(0.5, 0.4, 0.6), 0.6)
        assert not intervals.held(Estimate(0.5, 0.4, 0.6), 0.61)

    def test_the_histogram_s_interval_is_the_one_that_is_printed(self):
        """`coverage` holds itself to `group_estimate`, evaluation by evaluation."""
        found = coverage.coverage(np.random.default_rng(0), "degenerate", (100, 16, 0.3, 0.3), 400, spot_checks=5)
        assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 400) < found["library"] < 1


class TestPromises:
    """What the pages say of the evidence that they are written from."""

    def test_no_verdict_is_wrong_more_often_than_one_time_in_20_where_it_speaks(self):
        rows = evidence("decisions")
        assert {x["question"]: sum(y["question"] == x["question"] for y in rows) >= 12 for x in rows} == dict.fromkeys(
            ("compare", "group-size", "track"), True
        )
        for x in rows:
            drawn = x["right"] + x["wrong"] + x["withheld"]
            assert x["wrong"] <= 0.05 * drawn + 3 * np.sqrt(0.05 * 0.95 * drawn), x["situation"]
        for question in ("compare", "group-size", "track"):
            here = [x for x in rows if x["question"] == question]
            assert sum(x["wrong"] for x in here) <= 0.05 * sum(x["right"] + x["wrong"] for x in here)

    def test_every_interval_holds_nine_times_of_ten(self):
        rows = evidence("intervals")
        assert all(x["held"] >= 0.90 for x in rows)
        parts = {"dispersions", "pass_at", "clusters", "beyond", "recorded", "logs", "paired", "moves", "fits"}
        assert {x["part"] for x in rows} == parts
        assert {x["times"] for x in rows if x["part"] == "beyond"} == {2, 4, 8}

    def test_the_region_of_group_statistics_is_covered_as_stated(self):
        inside = [x["library"] for x in evidence("coverage") if x["region"]]
        assert min(inside) >= 0.93
        assert max(inside) <= 0.97
