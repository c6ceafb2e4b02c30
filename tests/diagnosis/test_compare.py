"""Checkpoints on the same prompts: orders, how sure they are, and what cannot be compared."""

import json

import pytest

from rlsignal import compare, diagnose, read


def counts(correct, n=8, **columns):
    return {"prompt": range(len(correct)), "n": [n] * len(correct), "c": list(correct), **columns}


class TestCompare:
    SHALLOW, DEEP = counts([1, 2, 3, 4, 6, 8] * 15, 16), counts([0, 0, 0, 4, 14, 16] * 15, 16)

    def test_orders_that_differ_are_found_with_their_probability(self):
        found = compare({"shallow": self.SHALLOW, "deep": self.DEEP})
        assert (found.best["pass@1"], found.best["informative"]) == ("deep", "shallow")
        assert found.disagree[0][:2] == ("shallow", "deep")
        assert found.disagree[0][2] > 0.95
        assert found.findings[0].name == "orders differ"

    def test_a_checkpoint_and_itself_have_no_order(self):
        """All differences are certain zeros: no order, so half of a chance."""
        assert compare({"a": self.DEEP, "b": self.DEEP}).disagree[0][2] == 0.5

    def test_prompts_are_paired_by_id_and_those_that_miss_are_counted(self):
        part = {name: list(column)[10:] for name, column in self.DEEP.items()}
        found = compare({"shallow": self.SHALLOW, "part": part})
        assert found.prompts == 80
        assert found.findings[-1].text == "10 prompts that some checkpoint lacks are left out."
        alone = diagnose({name: list(column)[10:] for name, column in self.SHALLOW.items()})
        assert found.pass_at_1[0].value == alone.pass_at_1.value

    def test_one_file_may_hold_all_checkpoints(self):
        both = {name: [*self.SHALLOW[name], *self.DEEP[name]] for name in self.SHALLOW} | {
            "checkpoint": ["shallow"] * 90 + ["deep"] * 90
        }
        together, apart = compare(both).summary, compare({"shallow": self.SHALLOW, "deep": self.DEEP}).summary
        assert "checkpoint `checkpoint`" in together.pop("read_as")
        del apart["read_as"]
        assert together == apart

    def test_entropy_is_shown_with_its_limits(self):
        named = {name: read(x | {"entropy": [0.1] * 90}) for name, x in (("a", self.SHALLOW), ("b", self.DEEP))}
        found = compare(named)
        assert found.entropy == pytest.approx((0.1, 0.1))
        assert "for the record" in next(x for x in found.findings if x.name == "entropy").action

    def test_prints_and_has_a_summary(self):
        found = compare({"shallow": self.SHALLOW, "deep": self.DEEP})
        assert "best by pass@1: deep" in str(found)
        assert json.loads(json.dumps(found.summary, allow_nan=False))["best"]["informative"] == "shallow"

    @pytest.mark.parametrize(
        ("checkpoints", "g", "message"),
        [
            ({"a": counts([1, 2])}, 8, r"^checkpoints must be at least two, got \['a'\]\."),
            (
                {"a": counts([1, 2]), "b": counts([1, 2]) | {"prompt": ["x", "y"]}},
                8,
                r"^checkpoints must share at least two",
            ),
            ({"a": counts([1, 2]), "b": counts([1, 2])}, 16, r"^group_size must be at most 8, the fewest samples"),
            ({"a": counts([1, 2]), "b": counts([1, 2]) | {"step": [0, 1], "prompt": [0, 0]}}, 8, "each prompt once"),
        ],
        ids=["one", "apart", "few samples", "repeated"],
    )
    def test_what_cannot_be_compared_is_refused(self, checkpoints, g, message):
        with pytest.raises(ValueError, match=message):
            compare(checkpoints, g)
