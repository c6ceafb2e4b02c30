"""Idea 2, a table says what it is worth: an advantage estimator is two rows of g+1 numbers.

A+(K) is the advantage of a correct rollout when K of g are correct, A-(K) that of an incorrect one. All that an
estimator does in expectation follows from its table: what it optimises, and how large and how noisy its advantages
are. `rlsignal.theory.frameworks` has those that ship.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._show import Part, Shown, Table, figure
from rlsignal._validate import Floats
from rlsignal.theory.distributions import PassRate, asked, group
from rlsignal.theory.pmf import answer

Side = Callable[[Any, int], Any]
"""A function of (K, g): the number of correct rollouts as an array, and the group size."""

Keep = Callable[[Any, int], Any]
"""A filter: (K, g) to whether a group with K correct rollouts is kept, or to the chance of it."""

_SHOWN = 4
"""The group size of the table that is shown."""


@dataclass(frozen=True, repr=False)
class Estimator(Shown):
    """An advantage estimator for binary rewards, and all that follows from its table.

    Its methods take `p`: a pass rate, an array of them (one answer per entry), or a distribution (one answer for its
    population); and `g`, the group size in rollouts, in [2, 4096]. As a bound method each is a statistic for
    `rlsignal.inference`, such as `group_estimate(GRPO.weight, data, 8)`.

    Parameters
    ----------
    name : how it is called in tables and errors.
    correct : (K, g) -> A+(K), the advantage of a correct rollout, used for K = 1..g.
    incorrect : (K, g) -> A-(K), the advantage of an incorrect rollout, used for K = 0..g-1.
    smallest : the smallest group size it is defined for.

    Raises
    ------
    ValueError : correct or incorrect that is not a function.

    Source: docs/theory.md (E1).

    Examples
    --------
    Your own in one line, here the reward's sign:

    >>> from rlsignal import Estimator
    >>> sign = Estimator("sign", lambda K, g: 1.0, lambda K, g: -1.0)
    >>> sign.table(2)
    array([[-1., -1.,  0.],
           [ 0.,  1.,  1.]])
    >>> sign.weight([0.1, 0.5], 8)
    array([2., 2.])
    """

    name: str
    correct: Side
    incorrect: Side
    smallest: int = 2

    def __post_init__(self) -> None:
        for side, function in (("correct", self.correct), ("incorrect", self.incorrect)):
            if not callable(function):
                raise ValueError(
                    f"{side} must be a function of (K, g), got {function!r}. Write a constant as lambda K, g: 1.0."
                )

    def table(self, g: int) -> Floats:
        """The estimator as numbers [2, g+1], indexed [reward, K]; the two cells that cannot happen hold 0.

        Raises
        ------
        ValueError : g not a whole number of at least `smallest`, or a function that gives no finite number for some K.
        """
        g = _validate.group_size(g)
        _validate.whole("g", g, self.smallest, way_out=f"{self.name} is not defined for smaller groups.")
        k = np.arange(g + 1.0)
        with np.errstate(all="ignore"):  # the cells that cannot happen may divide by zero
            rows = [self._row("incorrect", self.incorrect, k, g), self._row("correct", self.correct, k, g)]
        rows[0][-1] = rows[1][0] = 0.0
        for side, row in zip(("incorrect", "correct"), rows, strict=True):
            if not np.all(np.isfinite(row)):
                at = int(np.argmin(np.isfinite(row)))
                raise ValueError(
                    f"estimator {self.name!r} must give a finite advantage to every {side} rollout, got {row[at]} at "
                    f"K = {at} of g = {g}. Return 0 where a group should not count."
                )
        return np.stack(rows) + 0.0  # no -0

    def gain(self, g: int) -> Floats:
        """d[j] = A+(j+1) - A-(j), shape [g]: what a rollout's advantage gains by being correct beside j correct ones.

        Examples
        --------
        >>> from rlsignal import RLOO
        >>> RLOO.gain(4)
        array([1., 1., 1., 1.])
        """
        table = self.table(g)
        return np.asarray(table[1, 1:] - table[0, :-1])

    def advantages(self, rewards: ArrayLike) -> Floats:
        """What it assigns to each rollout of each group.

        Parameters
        ----------
        rewards : [..., g] of 0 and 1, one group on the last axis.

        Returns
        -------
        [..., g] float64.

        Raises
        ------
        ValueError : rewards other than 0 and 1, groups of unequal size or of one rollout.

        Source: docs/theory.md (E1).

        Examples
        --------
        >>> from rlsignal import GRPO
        >>> GRPO.advantages([1, 0, 0, 0]).round(3)
        array([ 1.732, -0.577, -0.577, -0.577])
        """
        values = _validate.rewards(rewards)
        table = self.table(values.shape[-1])
        return np.asarray(table[values, values.sum(-1, keepdims=True)])

    @asked
    def weight(self, p: ArrayLike | PassRate, g: int) -> float | Floats:
        """w_g(p), the factor before grad p in the expected update (W1): E[A+(J+1) - A-(J)], J ~ Binomial(g-1, p).

        J counts the other rollouts that are correct. No division and no quadrature; true for any table, centred or
        not. Of a distribution, the mean weight over its prompts.

        Raises
        ------
        ValueError : p outside [0, 1], g not a whole number in [2, 4096], g above the samples of a `Recorded`.

        Source: derived in docs/theory.md (W1).

        Examples
        --------
        Dividing by the s.d. favours hard prompts, but boundedly, and only from g = 4 on:

        >>> from rlsignal import GRPO
        >>> [round(GRPO.weight(0.05, g), 3) for g in (2, 3, 8)]
        [1.0, 1.414, 2.473]
        """
        what, g = group(p, g, summed=True)
        return answer(what.pmf(g - 1) @ self.gain(g))

    @asked
    def objective(self, p: ArrayLike | PassRate, g: int) -> float | Floats:
        """h_g(p), the objective whose stochastic gradient the estimator is (W2): h_g' = w_g and h_g(0) = 0.

        A Bernstein polynomial, E[S(K)] with S the running sum of A+(j+1) - A-(j), over g.

        Raises
        ------
        ValueError : as `weight`.

        Source: derived in docs/theory.md (W2).

        Examples
        --------
        RLOO optimises the pass rate itself:

        >>> from rlsignal import RLOO
        >>> round(RLOO.objective(0.3, 8), 12)
        0.3
        """
        what, g = group(p, g, summed=True)
        heights = np.concatenate([[0.0], np.cumsum(self.gain(g))]) / g
        return answer(what.pmf(g) @ heights)

    @asked
    def variance(self, p: ArrayLike | PassRate, g: int) -> float | Floats:
        """Expected variance of its advantages inside a group, ddof 0 (V4): E[v (A+(K) - A-(K))^2], v = K(g-K)/g^2.

        Raises
        ------
        ValueError : as `weight`.

        Source: derived in docs/theory.md (V4).

        Examples
        --------
        GRPO's is the share of informative groups; of the rewards themselves it is `advantage_variance`:

        >>> from rlsignal import DR_GRPO, GRPO, advantage_variance
        >>> round(GRPO.variance(0.02, 8), 4), round(DR_GRPO.variance(0.02, 8), 5), advantage_variance(0.02, 8)
        (0.1492, 0.01715, 0.01715)
        """
        what, g = group(p, g, summed=True)
        k, (incorrect, correct) = np.arange(g + 1), self.table(g)
        return answer(what.pmf(g) @ (k * (g - k) / g**2 * (correct - incorrect) ** 2))

    @asked
    def second_moment(self, p: ArrayLike | PassRate, g: int) -> float | Floats:
        """E[A^2] of one rollout's advantage (E2): E[K A+(K)^2 + (g-K) A-(K)^2] / g.

        For GRPO it is the share of informative groups, and depends on p by nothing else; for DR_GRPO it is V1.

        Raises
        ------
        ValueError : as `weight`.

        Source: derived in docs/theory.md (E2).

        Examples
        --------
        >>> from rlsignal import DR_GRPO, GRPO
        >>> round(GRPO.second_moment(0.02, 8), 4), round(DR_GRPO.second_moment(0.02, 8), 5)
        (0.1492, 0.01715)
        """
        return self._per_rollout(p, g, np.square)

    @asked
    def magnitude(self, p: ArrayLike | PassRate, g: int) -> float | Floats:
        """E|A| of one rollout's advantage (E3), the update mass: E[K |A+(K)| + (g-K) |A-(K)|] / g.

        For estimators that are centred in every group and reward success (A+ >= 0 >= A-) it is 2p(1-p) w_g(p).

        Raises
        ------
        ValueError : as `weight`.

        Source: derived in docs/theory.md (E3).

        Examples
        --------
        >>> from rlsignal import RLOO
        >>> round(RLOO.magnitude(0.5, 8), 12)
        0.5
        """
        return self._per_rollout(p, g, np.abs)

    def _per_rollout(self, p: ArrayLike | PassRate, g: int, of: Callable[[Floats], Floats]) -> float | Floats:
        """Mean of a function of one rollout's advantage: over the rollouts of a group, then over K."""
        what, g = group(p, g, summed=True)
        k, (incorrect, correct) = np.arange(g + 1), of(self.table(g))
        return answer(what.pmf(g) @ ((k * correct + (g - k) * incorrect) / g))

    def _row(self, side: str, function: Side, k: Floats, g: int) -> Floats:
        try:
            row = np.asarray(function(k, g))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"estimator {self.name!r} must give every {side} rollout a number, but its function failed: {error}. "
                f"It is called once with the array K = 0..{g} and g; use np.sqrt, np.where and the like."
            ) from error
        if row.dtype.kind not in "biuf" or row.shape not in ((), (g + 1,)):
            raise ValueError(
                f"estimator {self.name!r} must give every {side} rollout one number, or one for each K = 0..{g}, "
                f"got {row.dtype} of shape {row.shape}. Compute it from the array K."
            )
        row = row.astype(np.float64)
        return np.array(np.broadcast_to(row, (g + 1,)))

    def _parts(self) -> Iterator[Part]:
        yield self.name
        g = max(_SHOWN, self.smallest)
        incorrect, correct = self.table(g)
        cells = [
            ("correct", "-", *(figure(a) for a in correct[1:])),
            ("incorrect", *(figure(a) for a in incorrect[:-1]), "-"),
        ]
        yield Table(("advantage", *(f"K = {k}" for k in range(g + 1))), cells)


def kept_counts(keep: Keep, g: int) -> Floats:
    """The chance that a filter keeps a group of each K = 0..g: 1 and 0 where it decides by K alone."""
    kept = np.asarray(keep(np.arange(g + 1), g))
    chances = kept.dtype == bool or (kept.dtype.kind == "f" and np.all((kept >= 0) & (kept <= 1)))
    if not chances or kept.shape not in ((), (g + 1,)):
        raise ValueError(
            f"keep must say of each K = 0..{g} whether its group is kept, or with what chance, got {kept.dtype} of "
            f"shape {kept.shape}. Compare the array: lambda k, g: (k > 0) & (k < g)."
        )
    return np.broadcast_to(kept, (g + 1,)).astype(np.float64)


def informative_counts(k: Any, g: int) -> Any:
    """The filter of dynamic sampling: neither all correct nor all incorrect."""
    return (k > 0) & (k < g)
