"""Every type of result, by the registry, with values that it has in use: it is kept, and it shows itself."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import rlsignal
from rlsignal import Beta, Recorded, compare, diagnose, load, read, recommend_group_size, save, track, verify
from rlsignal._show import COLUMNS, Result
from rlsignal.diagnosis.prompts import list_prompts
from rlsignal.estimators import compare_estimators
from rlsignal.inference import (
    Estimate,
    band,
    beta_estimate,
    exchangeability,
    exponential_fit,
    gradient_noise,
    inversions,
    rank_correlation,
    sigmoid_fit,
)
from rlsignal.inference.intervals import signed
from rlsignal.proofs import certify
from rlsignal.results import INDEPENDENT_STARTS, CheckpointEnds, EntropySwap

COUNTS = {"prompt": list(range(60)), "n": [8] * 60, "c": [0, 0, 1, 5, 8, 3] * 10}
LOG = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5 + t / 100} for t in range(40)]


@pytest.fixture(scope="module")
def examples(small_map, small_ladder):
    """One of each type: what these results hold are examples too."""
    later = {**COUNTS, "c": [0, 1, 1, 6, 8, 4] * 10}
    made = [
        small_map,
        small_ladder,
        verify(groups=100_000),
        certify(rlsignal.GRPO, 4),
        gradient_noise(dict.fromkeys([(64, 16), (32, 16), (64, 8), (64, 4)], 1.0)),
        exponential_fit([2.0, 1.5, 1.0], [0.1, 0.4, 0.5]),
        sigmoid_fit(range(1, 9), [0.2, 0.25, 0.4, 0.5, 0.6, 0.62, 0.66, 0.68]),
        diagnose(COUNTS),
        diagnose({**COUNTS, "step": range(60)}),
        list_prompts(read(COUNTS), 8),
        compare({"first": COUNTS, "later": later}),
        recommend_group_size(0.3),
        compare_estimators([1, 0, 0]),
        track(LOG, 8),
        read([*LOG, LOG[-1]]),
        read([[0, 1], [1, 1], [0]]),
        beta_estimate(Recorded(COUNTS["c"], 8)),
        band(Beta(0.3, 0.4), 8, 1, 7),
        exchangeability(Recorded(COUNTS["c"], 8), Recorded(later["c"], 8)),
        inversions([0.1, 0.3], [[0.8, 0.9], [0.5, 0.6]]),
        rank_correlation([1, 2, 3], [2, 1, 3]),
        CheckpointEnds(("a", "b"), 8, 400, "GRPO", 1.0, 32, 2, *np.random.default_rng(2).random((3, 2, 9))),
        EntropySwap(
            "small",
            (5, 40),
            0.01,
            3,
            *np.random.default_rng(0).random((3, 2, 4)),
            np.random.default_rng(1).random((3, 2, 4)),
        ),
    ]
    return {type(x).__name__: x for result in made for x in inside(result)}


def inside(value) -> Iterator[Result]:
    """A value, and all that shows itself in it."""
    if isinstance(value, Result):
        yield value
        for field in fields(value):
            yield from inside(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from inside(item)
    elif isinstance(value, dict):
        yield from inside(list(value.values()))


def same(one, two):
    if isinstance(one, Result):
        return type(one) is type(two) and all(same(getattr(one, f.name), getattr(two, f.name)) for f in fields(one))
    if isinstance(one, np.ndarray):
        return isinstance(two, np.ndarray) and one.dtype == two.dtype and np.array_equal(one, two, equal_nan=True)
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, tuple | list):
        return type(one) is type(two) and len(one) == len(two) and all(map(same, one, two))
    return type(one) is type(two) and (one == two or (one != one and two != two))


KINDS = sorted(name for name, kind in Result.kinds.items() if kind.__module__.startswith("rlsignal."))


def test_all_modules_with_results_are_loaded():
    """Those of the simulations, too: without their modules their types would not be in the list."""
    assert {"InversionMap", "Ladder", "Diagnosis", "Verification", "Estimate"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_has_an_example(self, kind, examples):
        assert kind in examples, f"give tests/test_results.py an example of {kind}"

    def test_comes_back(self, kind, examples, tmp_path):
        save(examples[kind], tmp_path / kind)
        assert same(examples[kind], load(tmp_path / kind))

    def test_has_a_short_repr(self, kind, examples):
        assert len(repr(examples[kind])) < 2000
        assert kind in repr(examples[kind])
        assert "\n" not in repr(examples[kind])

    def test_prints_within_100_columns(self, kind, examples):
        assert max(map(len, str(examples[kind]).splitlines())) <= COLUMNS

    def test_has_a_face_in_a_notebook(self, kind, examples):
        face = examples[kind]._repr_html_()
        assert face.startswith("<")
        assert len(face) > 20


def test_names_in_html_are_text():
    prompts = {"prompt": ["<script>", "<b>"] * 20, "step": [i // 2 for i in range(40)], "n": [2] * 40, "c": [1, 2] * 20}
    named = {name: {x: column[:2] for x, column in prompts.items()} for name in ("<script>", "<b>")}
    face = compare(named, 2)._repr_html_()
    assert "<script>" not in face
    assert "&lt;script&gt;" in face


def test_two_types_of_one_name_are_refused():
    with pytest.raises(TypeError, match=r"^two results are called Diagnosis, in rlsignal\.diagnosis\.diagnosed and "):
        type("Diagnosis", (Result,), {"__module__": "elsewhere"})
    assert Result.kinds["Diagnosis"] is type(rlsignal.diagnose(COUNTS))


def test_zero_has_no_sign():
    assert str(rlsignal.Estimate(-0.0, -0.0, 0.242)) == "0.000 [0.000, 0.242]"
    assert str(rlsignal.Estimate(-0.001, -0.02, 0.242)) == "-0.001 [-0.020, 0.242]"
    assert signed(rlsignal.Estimate(-0.0, -0.0004, 0.0004)) == "0.000 [0.000, 0.000]"
    assert signed(rlsignal.Estimate(-0.0006, -0.02, 0.242)) == "-0.001 [-0.020, +0.242]"
    assert signed(rlsignal.Estimate(np.nan, -0.04, 0.242), 1) == "- [0.0, +0.2]"


def test_a_map_says_over_how_many_starts_it_explains_and_what_its_budgets_are(small_map):
    from rlsignal.sim import inversion

    assert inspect.signature(inversion._explained).parameters["count"].default == INDEPENDENT_STARTS
    assert f"Over {INDEPENDENT_STARTS} Beta starts" in str(small_map).replace("\n", " ")
    g = small_map.group_sizes[-1]
    assert small_map.budgets(g) == (small_map.steps, small_map.rollouts // g)
    assert small_map.plain_ascent
    assert not replace(small_map, optimizer="adam").plain_ascent


def test_no_module_formats_a_sign_by_hand():
    """`_show.signed_figure` alone knows that what rounds to nothing has none."""
    by_hand = re.compile(r":\+[.\d]*f\}")
    package = Path(rlsignal.__file__).parent
    assert [path.name for path in package.rglob("*.py") if by_hand.search(path.read_text())] == []


def test_a_ladder_s_unknown_figures_and_zeros_are_those_of_every_table(small_ladder):
    after = np.array([[np.nan, -0.0]])
    reading = replace(small_ladder.readings[0], after=after, best=np.zeros(2))
    assert str(reading).splitlines()[-1].split() == ["mean", "over", "seeds", "-", "0.000"]


def test_a_map_says_what_a_nat_is_worth_and_that_entropy_is_not_the_cause(small_map):
    """Two numbers that look like a contradiction: the price along the grid, and the control that holds pass rates."""
    entropy, *others = small_map.controls
    for high, said in ((-0.01, "So what a nat is worth above is the pass rates"), (0.5, "More draws would tell")):
        control = replace(entropy, effect=Estimate(-0.044, -0.06, high))
        text = " ".join(str(replace(small_map, controls=(control, *others))).split())
        assert "That is a price, not a cause" in text
        assert f"move pass@1 by -0.044 [-0.060, {high:+.3f}]. {said}" in text
