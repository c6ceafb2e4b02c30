"""The exercises of the lessons: an answer is right, or a known mistake with its name, or gets a hint.

By hand an answer is a number, by code a function; a function is tried at several arguments. The tempting mistakes are
those that `rlsignal verify` rejects, wherever a claim has one.

>>> from rlsignal.exercises import check
>>> check("1.1", 0.25)
<Reply: Not yet: that is 1/4, the variance when the two rewards differ. How often do they? See V1 in the theory.>
>>> check("1.1", 0.105)
<Reply: Right.>
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import comb, inf, log, sqrt
from typing import Any

import numpy as np

from rlsignal._show import Part, Shown
from rlsignal.proofs.claims import CLAIMS
from rlsignal.theory.frameworks import GRPO, GRPO_TRL
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import advantage_variance, degenerate_probability

__all__ = ["EXERCISES", "Exercise", "Reply", "check"]

_NEAR = 5e-3
"""Relative error of an answer that counts as right: three digits."""


@dataclass(frozen=True, repr=False)
class Reply(Shown):
    """What an answer gets.

    verdict : "right", "mistake" (a known one), "not yet" or "no answer".
    words : a sentence.
    """

    verdict: str
    words: str

    def _parts(self) -> Iterable[Part]:
        yield self.words


_YOUR_TURN = Reply("no answer", "Your turn: write your answer in place of the dots.")


@dataclass(frozen=True)
class Exercise:
    """A question of a lesson.

    Parameters
    ----------
    right : the answer: a number, or a function of `at`'s arguments.
    mistakes : what it is -> the answer that it gives; like `right`.
    hint : what to look at, for any other answer.
    label : the entry of docs/theory.md that has the answer; "" where none does.
    at : arguments to try a function at; () where the answer is a number.
    within : where every answer lies.
    """

    right: Any
    mistakes: dict[str, Any]
    hint: str
    label: str = ""
    at: Sequence[tuple[Any, ...]] = ()
    within: tuple[float, float] = (-inf, inf)

    def values(self, answer: Any) -> list[Any]:
        """An answer as numbers or arrays of numbers."""
        found = [answer(*arguments) for arguments in self.at] if self.at else [answer]
        return [np.asarray(value, np.float64) for value in found]


def check(name: str, answer: Any) -> Reply:
    """What to say to an answer.

    Parameters
    ----------
    name : lesson and number, such as "1.1".
    answer : a number, or a function where code is asked for; `...` where there is none yet.

    Returns
    -------
    Reply, which shows itself.

    Raises
    ------
    ValueError : no such exercise.

    Examples
    --------
    >>> from rlsignal.exercises import check
    >>> check("2.3", lambda p, g: p**g + (1 - p) ** g).verdict
    'right'
    >>> print(check("2.3", lambda p, g: (1 - p) ** g))
    Not yet: that is (1-p)^g, the groups that are all incorrect. All correct is degenerate too. See D1 in the theory.
    """
    if name not in EXERCISES:
        raise ValueError(f"name must be that of an exercise, got {name!r}. They are: {', '.join(EXERCISES)}.")
    exercise = EXERCISES[name]
    if answer is ...:
        return _YOUR_TURN
    if callable(answer) != bool(exercise.at):
        wanted = "a function, its name alone without arguments" if exercise.at else "a number"
        return Reply("not yet", f"This one asks for {wanted}.")
    try:
        if exercise.at and answer(*exercise.at[0]) is ...:
            return _YOUR_TURN
        given = exercise.values(answer)
    except Exception as error:  # whatever a learner's function does is an answer to reply to
        return Reply("not yet", f"Trying it gave {type(error).__name__}: {error}")
    for arguments, value in zip(exercise.at or [()], given, strict=True):
        where = f" at {', '.join(map(str, arguments))}" if arguments else ""
        if not np.all((value >= exercise.within[0]) & (value <= exercise.within[1])):  # nan too
            low, high = exercise.within
            return Reply("not yet", f"It cannot be {value}{where}: it lies between {low:g} and {high:g}.")
    see = f" See {exercise.label} in the theory." if exercise.label else ""
    if _agree(given, exercise.values(exercise.right)):
        return Reply("right", "Right.")
    for words, wrong in exercise.mistakes.items():
        if _agree(given, exercise.values(wrong)):
            return Reply("mistake", f"Not yet: that is {words}{see}")
    return Reply("not yet", f"Not yet. {exercise.hint}{see}")


def _agree(given: list[Any], wanted: list[Any]) -> bool:
    return all(
        x.shape == y.shape and np.allclose(x, y, rtol=_NEAR, atol=1e-9) for x, y in zip(given, wanted, strict=True)
    )


def _tempting(label: str, start: str) -> Callable[[Any, int], Any]:
    """The mistake of a claim, as (p, g) -> number."""
    return next(claim.wrong for claim in CLAIMS if claim.label == label and claim.name.startswith(start))


def _entropy(p: float) -> float:
    return -p * log(p) - (1 - p) * log(1 - p)


def _without_replacement(c: int, n: int, g: int) -> float:
    return (comb(c, g) + comb(n - c, g)) / comb(n, g)


def _inverted(before: Sequence[float], after: Sequence[float]) -> float:
    pairs = [(i, j) for i in range(len(before)) for j in range(i)]
    return sum((before[i] - before[j]) * (after[i] - after[j]) < 0 for i, j in pairs) / len(pairs)


_PROMPTS = np.array([0.05, 0.51])
_EVALUATION = Recorded([0, 2, 4], 4)
_GROUPS = ((0.1, 2), (0.3, 8), (0.7, 5))
_COUNTS = ((2, 10, 4), (5, 12, 3), (0, 8, 8))
_POLICIES = (([0.2, 0.3, 0.5], 0), ([0.2, 0.3, 0.5], 2))
_LADDERS = (([0.2, 0.3, 0.4], [0.7, 0.6, 0.65]), ([0.1, 0.2, 0.3, 0.4], [0.5, 0.4, 0.6, 0.3]))
_SHARE = (0.0, 1.0)

EXERCISES = {
    "0.1": Exercise(
        0.2 * 0.8,
        {
            "the standard deviation, the root of the variance.": sqrt(0.2 * 0.8),
            "E[r^2], which is p. Take the square of the mean off.": 0.2,
        },
        "E[(r - p)^2]: with chance p the square is (1-p)^2, else it is p^2.",
        within=(0, 1),
    ),
    "0.2": Exercise(
        lambda pi, y: np.eye(len(pi))[y] - np.asarray(pi),
        {
            "the gradient with its sign turned: log pi(y) rises with the logit of y.": lambda pi, y: (
                np.asarray(pi) - np.eye(len(pi))[y]
            ),
            "the gradient of the logit alone. The log of the sum of exp has one too, pi.": lambda pi, y: np.eye(
                len(pi)
            )[y],
            "the gradient of pi(y), not of log pi(y). Divide by pi(y).": lambda pi, y: (
                pi[y] * (np.eye(len(pi))[y] - np.asarray(pi))
            ),
        },
        "log pi(y) = logit of y - log sum exp(logits). Its gradient has one number for each response.",
        at=_POLICIES,
    ),
    "1.1": Exercise(
        advantage_variance(0.3, 2),
        {
            "p(1-p), the variance around the true p. A group measures around its own mean.": 0.3 * 0.7,
            "2p(1-p), the chance that the two rewards differ. How large is the variance when they do?": 2 * 0.3 * 0.7,
            "1/4, the variance when the two rewards differ. How often do they?": 0.25,
        },
        "Two rewards are equal, and the variance is 0, or they differ, and each is 1/2 from their mean.",
        "V1",
        within=_SHARE,
    ),
    "1.2": Exercise(
        (1 / 2) / (63 / 64),
        {
            "1/2, the ratio to p(1-p) itself; a group of 64 has 63/64 of that.": 0.5,
            "2/64, the ratio of the sizes. The variance goes with (g-1)/g.": 2 / 64,
            "the ratio turned over.": (63 / 64) / (1 / 2),
        },
        "Divide (g-1)/g at g = 2 by (g-1)/g at g = 64; p cancels.",
        "V1",
        within=(0, inf),
    ),
    "1.3": Exercise(
        advantage_variance,
        {
            "p(1-p), the variance around the true p. A group measures around its own mean.": _tempting(
                "V1", "advantage variance"
            ),
            "the mean square of RLOO's advantages, p(1-p) g/(g-1). It goes the other way.": lambda p, g: (
                p * (1 - p) * g / (g - 1)
            ),
            "the chance of an informative group: the variance of GRPO's advantages, not of the rewards.": lambda p, g: (
                1 - p**g - (1 - p) ** g
            ),
        },
        "The mean over K ~ Bin(g, p) of K(g-K)/g^2.",
        "V1",
        at=_GROUPS,
        within=_SHARE,
    ),
    "2.1": Exercise(
        8 / (1 - degenerate_probability(0.02, 8)),
        {
            "the number of groups. Each of them costs g rollouts.": 1 / (1 - degenerate_probability(0.02, 8)),
            "g over the share of degenerate groups. It is the others that are accepted.": (
                8 / degenerate_probability(0.02, 8)
            ),
        },
        "A share 1 - D of the groups is accepted. How many groups are drawn for each that is?",
        "B3",
        within=(0, inf),
    ),
    "2.2": Exercise(
        1 / 0.2 + 1 / 0.8 - 1,
        {
            "1/p, until the first correct one. If the first rollout is correct, you wait for an incorrect one.": 5.0,
            "1/p + 1/(1-p), which counts the first rollout twice.": 6.25,
        },
        "Look at the first rollout. What do you wait for then, and for how long?",
        "B5",
        within=(2, inf),
    ),
    "2.3": Exercise(
        degenerate_probability,
        {
            "(1-p)^g, the groups that are all incorrect. All correct is degenerate too.": _tempting("D1", "degenerate"),
            "the share of informative groups.": lambda p, g: 1 - p**g - (1 - p) ** g,
            "pass@g, the groups with a success. That is one too many: all correct is degenerate.": _tempting(
                "D2", "informative"
            ),
        },
        "All g are correct, or all g are incorrect.",
        "D1",
        at=_GROUPS,
        within=_SHARE,
    ),
    "3.1": Exercise(
        float(np.mean(degenerate_probability(_PROMPTS, 4))),
        {
            "D at the mean. Take D of each prompt, and then the mean.": degenerate_probability(0.28, 4),
            "(1-p)^g of each: all correct is degenerate too.": float(np.mean((1 - _PROMPTS) ** 4)),
            "the share of informative groups.": 1 - float(np.mean(degenerate_probability(_PROMPTS, 4))),
        },
        "p^4 + (1-p)^4 for each of the two prompts.",
        "D3",
        within=_SHARE,
    ),
    "3.2": Exercise(
        _EVALUATION.reward_variance,
        {
            "c/n plugged in. Two different samples of the middle prompt differ with chance 2/3; halve that.": (
                float(np.mean([0, 0.25, 0]))
            ),
            "p(1-p) at the mean of the prompts, which is not the mean of p(1-p).": 0.25,
        },
        "pass@2 - pass@1, where pass@2 counts the pairs of samples with a correct one among them.",
        "P2",
        within=(0, 0.25),
    ),
    "3.3": Exercise(
        _without_replacement,
        {
            "c/n plugged into D: a prompt with 0 of 8 is not one with p = 0, but here you treat it so.": (
                lambda c, n, g: degenerate_probability(c / n, g)
            ),
            "the groups that are all incorrect. All correct is degenerate too.": lambda c, n, g: (
                comb(n - c, g) / comb(n, g)
            ),
        },
        "Draw g of the n samples without putting any back: how many draws hold only correct, or only incorrect ones?",
        "L3",
        at=_COUNTS,
        within=_SHARE,
    ),
    "4.1": Exercise(
        3.0,
        {
            "sqrt(g). One of the g is the success itself.": sqrt(10),
            "g - 1, MaxRL's. GRPO divides by a standard deviation, which is a root.": 9.0,
            "the limit of 1/sqrt(p(1-p)). A degenerate group has no standard deviation to divide by.": inf,
            "0. Such a group is rare, but grad p is small too, and the weight is what multiplies it.": 0.0,
        },
        "For small p an informative group has one success. What is its advantage in GRPO, times g rollouts over g?",
        "W1",
        within=(0, inf),
    ),
    "4.2": Exercise(
        GRPO.weight,
        {
            "1/sqrt(p(1-p)), its limit for many rollouts.": _tempting("W1", "weight of GRPO"),
            "RLOO's weight, 1.": lambda p, g: 1.0,
            "the update mass, 2 p(1-p) times the weight.": GRPO.magnitude,
        },
        "E[sqrt(K(g-K))] over K ~ Bin(g, p), divided by g p(1-p). `rl.Fixed(p).pmf(g)` has the chances of K.",
        "W1",
        at=_GROUPS,
        within=(0, inf),
    ),
    "4.3": Exercise(
        float(GRPO_TRL.weight(0.5, 8)) / float(GRPO.weight(0.5, 8)),
        {
            "7/8, the ratio of the variances. Advantages are divided by standard deviations.": 7 / 8,
            "the ratio turned over: TRL's standard deviation is the larger one.": sqrt(8 / 7),
        },
        "TRL divides squares by g - 1, the ideal by g.",
        "E1",
        within=(0, inf),
    ),
    "5.1": Exercise(
        log(2),
        {
            "the entropy in bits. A nat is log2(e) = 1.44 bits.": 1.0,
            "p itself.": 0.5,
        },
        "-p ln p - (1-p) ln(1-p) at p = 1/2.",
        "N1",
        within=(0, inf),
    ),
    "5.2": Exercise(
        _entropy,
        {
            "the entropy in bits. Use the natural logarithm.": lambda p: _entropy(p) / log(2),
            "4 ln 2 p(1-p), a lower bound that touches it at 0, 1/2 and 1.": lambda p: 4 * log(2) * p * (1 - p),
            "the part of correct rollouts. Incorrect ones have their own.": lambda p: -p * log(p),
        },
        "-p ln p - (1-p) ln(1-p).",
        "N1",
        at=((0.1,), (0.3,), (0.8,)),
        within=(0, 1),
    ),
    "6.1": Exercise(
        log(0.05) / log(1 - 0.001),
        {
            "1/p, the mean number. Half of the waits and more are shorter, but one in three is longer.": 1000.0,
            "0.95/p. The chance of a success does not grow in proportion to the rollouts.": 950.0,
            "the rollouts for 5%. You want a failure to be that rare.": log(0.95) / log(1 - 0.001),
        },
        "(1-p)^n is the chance of no success in n rollouts. When is it 0.05?",
        "F3",
        within=(1, inf),
    ),
    "6.2": Exercise(
        lambda p, kappa: (p * (1 - p)) ** 2 * kappa,
        {
            "p(1-p) kappa, one factor short: p(1-p) is in grad p, and again in how far p moves along it.": (
                lambda p, kappa: p * (1 - p) * kappa
            ),
            "the speed without kappa, as if each class had one answer and kappa were 1.": lambda p, kappa: (
                (p * (1 - p)) ** 2
            ),
        },
        "RLOO's weight is 1. How does the square of grad p grow with p(1-p)?",
        "F1",
        at=((0.1, 1.5), (0.5, 0.3), (0.9, 2.0)),
        within=(0, inf),
    ),
    "7.1": Exercise(
        2 / 3,
        {
            "the share of pairs that keep their order.": 1 / 3,
            "the number of inverted pairs. Divide by the number of pairs.": 2.0,
        },
        "Write down the three pairs. Which of them is ahead before, and behind after?",
        "R1",
        within=(0, 3),
    ),
    "7.2": Exercise(
        _inverted,
        {
            "the share of pairs that keep their order.": lambda before, after: 1 - _inverted(before, after),
            "Kendall's tau, kept less inverted pairs.": lambda before, after: 1 - 2 * _inverted(before, after),
            "divided by n^2. A pair counts once, and nothing is paired with itself: n(n-1)/2.": lambda before, after: (
                _inverted(before, after) * (len(before) - 1) / 2 / len(before)
            ),
        },
        "Over all pairs i < j: the product of the two differences is negative.",
        "R1",
        at=_LADDERS,
        within=(-1, 1),
    ),
    "8.1": Exercise(
        6400 / (1 + 15 * 0.5),
        {
            "the rollouts themselves, as if those of one prompt were independent.": 6400.0,
            "the number of prompts, as if the samples of one were all the same.": 400.0,
            "the factor by which the variance grows. Divide by it.": 1 + 15 * 0.5,
        },
        "The variance of the mean grows by 1 + (16 - 1) times the dispersion.",
        within=(0, 6400),
    ),
    "8.2": Exercise(
        lambda c, n, k: 1 - comb(n - c, k) / comb(n, k),
        {
            "c/n plugged in, 1 - (1 - c/n)^k: too small on average.": lambda c, n, k: 1 - (1 - c / n) ** k,
            "the chance that all k are incorrect.": lambda c, n, k: comb(n - c, k) / comb(n, k),
        },
        "Draw k of the n samples without putting any back: how many draws hold no correct one?",
        "P1",
        at=_COUNTS,
        within=_SHARE,
    ),
}
"""Name -> exercise."""
