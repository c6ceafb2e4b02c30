"""Every exercise tells a right answer, each of its mistakes and a foolish answer apart."""

from itertools import combinations

import numpy as np
import pytest

from rlsignal.exercises import EXERCISES, check

every_exercise = pytest.mark.parametrize("name", EXERCISES)


@every_exercise
def test_right(name):
    assert check(name, EXERCISES[name].right).verdict == "right"


@every_exercise
def test_right_to_three_digits(name):
    right = EXERCISES[name].right
    near, far = ((lambda *x, f=f: f * np.asarray(right(*x))) if callable(right) else f * right for f in (0.998, 0.95))
    assert check(name, near).verdict == "right"
    assert check(name, far).verdict != "right"


@every_exercise
def test_mistakes_are_named_and_lead_to_the_theory(name):
    exercise = EXERCISES[name]
    assert len(exercise.mistakes) >= 2
    for words, wrong in exercise.mistakes.items():
        reply = check(name, wrong)
        assert (reply.verdict, words in reply.words) == ("mistake", True), words
        assert reply.words.endswith(f"See {exercise.label} in the theory." if exercise.label else words)


@every_exercise
def test_foolish_answers_get_a_reply_that_helps(name):
    exercise = EXERCISES[name]

    def fails(*arguments):
        raise KeyError("nothing")

    foolish = (
        [lambda *x: np.nan, lambda *x: -(10**9), lambda *x: "much", fails, 0.5]
        if exercise.at
        else [np.nan, -(10**9), "much", None, max]
    )
    for answer in foolish:
        reply = check(name, answer)
        assert reply.verdict == "not yet"
        assert len(reply.words) > 20
    assert check(name, ...).verdict == "no answer"
    assert not exercise.at or check(name, lambda *x: ...).verdict == "no answer"  # as the cell stands in the lesson


@every_exercise
def test_an_unknown_answer_gets_the_hint(name):
    exercise = EXERCISES[name]
    right = exercise.right
    odd = (lambda *x: 0.917 * np.asarray(right(*x))) if exercise.at else 0.917 * right
    reply = check(name, odd)
    assert reply.verdict == "not yet"
    assert exercise.hint in reply.words


@every_exercise
def test_no_two_answers_are_alike(name):
    exercise = EXERCISES[name]
    answers = [exercise.values(answer) for answer in (exercise.right, *exercise.mistakes.values())]
    for one, other in combinations(answers, 2):
        assert not all(np.allclose(x, y, rtol=0.01, atol=1e-9) for x, y in zip(one, other, strict=True))


def test_a_lesson_has_both_levels():
    for lesson in range(9):
        own = [exercise for name, exercise in EXERCISES.items() if name.startswith(f"{lesson}.")]
        assert {bool(exercise.at) for exercise in own} == {True, False}


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(ValueError, match=r"'9\.1'\. They are: 0\.1, "):
        check("9.1", 1)
