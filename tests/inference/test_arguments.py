"""What is no argument at all is refused by every function at its door, by name and with what it got."""

import numpy as np
import pytest

from rlsignal import Beta, Recorded, degenerate_probability, inference

DATA = Recorded([0, 1, 2, 4] * 30, 4)
SHAPES = dict.fromkeys([(64, 16), (32, 16), (64, 8), (64, 4)], 1.0)
NUMBERS = [0.2, 0.25, 0.4, 0.5, 0.6, 0.62, 0.66, 0.68]
POPULATION, OF_GROUPS = {"prior": Beta(0.3, 0.3)}, {"statistic": degenerate_probability}

CALLS = {
    "anchored_estimate": ({"data": DATA}, {"fit": "what", "strength": "one"}),
    "band": (POPULATION, {"samples": (8, "one"), "lowest": (1, "one"), "highest": (7, "one")}),
    "beta_estimate": ({"data": DATA}, {"clusters": "labels"}),
    "disagreement_probability": ({}, {"first": ([0.1, 0.2], "many"), "second": ([0.2, 0.2], "many")}),
    "dispersion_estimate": ({"data": DATA}, {"clusters": "labels", "level": "one"}),
    "exchangeability": ({}, {"first": (DATA, "what"), "second": (DATA, "what")}),
    "exponential_fit": ({}, {"entropy": ([1, 2, 3], "many"), "reward": ([3, 1, 2], "many")}),
    "gradient_noise": ({}, {"norms": (SHAPES, "what")}),
    "group_bounds": (OF_GROUPS | {"p": DATA, "g": 8}, {"g": "one", "clusters": "labels", "level": "one"}),
    "group_estimate": ({"data": DATA, "g": 4}, {"statistic": (degenerate_probability, "what"), "clusters": "labels"}),
    "inversions": ({}, {"before": ([0.1, 0.3], "many"), "after": ([[0.8, 0.9], [0.5, 0.6]], "many"), "least": "one"}),
    "log_e_process": ({}, {"informative": ([0.5] * 4, "many"), "groups": (8, "pair"), "level": "one"}),
    "log_estimate": (
        {},
        {"mean": (0.3, "one"), "degenerate": (0.5, "one"), "g": (8, "one"), "groups": (64, "one")},
    ),
    "overdispersion": ({}, {"informative": ([0.5] * 4, "many"), "groups": (8, "one"), "level": "one"}),
    "paired_estimate": ({}, {"differences": ([0.1, 0.2], "many"), "level": "one"}),
    "per_prompt_estimate": ({"data": DATA}, {"statistic": (degenerate_probability, "what"), "g": (4, "one")}),
    "plausible_populations": ({}, {"data": (DATA, "what")}),
    "posterior": ({}, {"prior": (Beta(0.3, 0.3), "what"), "correct": ([0, 8], "many"), "samples": (8, "one")}),
    "rank_correlation": ({}, {"predictor": ([1, 2, 3], "many"), "outcome": ([1, 3, 2], "many"), "clusters": "labels"}),
    "sigmoid_fit": (
        {},
        {"compute": (range(1, 9), "many"), "reward": (NUMBERS, "many"), "start": "one", "skip": "one"},
    ),
}
WRONG = {"what": (object(), 5, "x", [1, 2], {}), "many": (object(), "x", {}, 0.5), "labels": (5, [1, 2], [[1.0]])}
WRONG |= {"one": (object(), "x", [1, 2], (100,), [], np.nan), "pair": (object(), "x", [1, 2], [], np.nan)}
CASES = [
    (function, name, wrong)
    for function, (_, asked) in CALLS.items()
    for name, kind in asked.items()
    for wrong in WRONG[kind if isinstance(kind, str) else kind[1]]
]


def usual(function):
    given, asked = CALLS[function]
    return given | {name: x[0] for name, x in asked.items() if not isinstance(x, str)}


@pytest.mark.parametrize("function", CALLS)
def test_the_usual_arguments_are_fine(function):
    getattr(inference, function)(**usual(function))


@pytest.mark.parametrize(("function", "name", "wrong"), CASES)
def test_others_are_refused_by_name(function, name, wrong):
    with pytest.raises(ValueError, match=rf"(?s)\b{name}\b.* must .*got .*") as refused:
        getattr(inference, function)(**{**usual(function), name: wrong})
    assert str(refused.value).endswith(".")


def test_every_function_is_asked():
    functions = {name for name in inference.__all__ if name.islower()}
    assert functions - CALLS.keys() == {"variance_explained"}  # takes predictors without a name


@pytest.mark.parametrize("wrong", [object(), "x", 0.5, [[0.5]], [1.0]])
def test_predictors_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=r"predictors.* must .*got .*\.$"):
        inference.variance_explained([1, 2, 3, 4, 5, 7.0], wrong)
