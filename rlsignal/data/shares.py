"""Counts behind shares of correct samples: whether a stated number of samples fits them, and which number does."""

from collections.abc import Hashable, Sequence

import numpy as np

from rlsignal._validate import shown
from rlsignal.data.cells import decimals
from rlsignal.data.records import Counts, Floats
from rlsignal.data.tables import offers

LARGEST = 256
"""Samples of a prompt that are inferred."""

CHANCE = 0.001
"""How rarely shares may be taken for those of fewer samples."""


def check_shares(column: str, stated: Sequence[tuple[float, int, str]]) -> None:
    """Each (share, samples, place) of a column is a count of its samples, and of one alone, as the column is written.

    Raises
    ------
    ValueError : no count, or several, with the place and the way out.
    """
    digits = max(decimals(share) for share, _, _ in stated)
    for share, n, where in stated:
        lossless = digits <= 17 and 10**digits % n == 0  # every count of n has so few digits
        off = _rounding(17 if lossless else digits)
        if abs(round(share * n) / n - share) > off:
            raise ValueError(
                f"{column} must be a whole number of {n} samples, got {share!r} in {where}. If the rewards are not "
                "binary, name a column that is with reward=; else give the right number of samples."
            )
        if off * n >= 0.5:
            raise ValueError(
                f"{column} must have more than {digits} digits, for {n} samples have several counts that round to "
                f"{share!r}, in {where}. Give more digits, or a column of counts."
            )


def infer_samples(shares: Floats, checkpoints: Sequence[Hashable], table: str, column: str) -> tuple[Counts, str]:
    """The samples behind each share whose number is not stated, and a sentence on them.

    The smallest number that makes all shares whole counts or, where the shares of one checkpoint show it, a smaller one
    of its own.

    Raises
    ------
    ValueError : no number does, or rounding leaves a choice.
    """
    most, samples, sizes = _inferred(shares, table, column), np.empty(len(shares), np.int64), {}
    for name in dict.fromkeys(checkpoints):
        own = np.array([x == name for x in checkpoints])
        samples[own] = sizes[name] = _own_size(shares[own], most)
    if len(set(sizes.values())) == 1:
        what = f"{samples[0]} is the smallest that makes every share a whole count"
    else:
        of = ", ".join(f"{n} of {shown(name)}" for name, n in sizes.items())
        what = f"the smallest that make every share of a checkpoint a whole count are {of}"
    return samples, f"The number of samples is not stated; {what}."


def _inferred(shares: Floats, name: str, column: str) -> int:
    """The smallest n that makes every share a whole count; refused where rounding leaves a choice."""
    n = smallest_count(shares)
    if n is None:
        found = zip(("rounded", "exact"), (_smallest(np.unique(shares), x) for x in _tolerances(shares)), strict=True)
        fitting = {how: k for how, k in found if k}
        ways = (
            f"They fit {' and '.join(f'{k} if they are {how}' for how, k in fitting.items())}: give "
            f"{offers('samples', list(fitting.values()))}, or the column that holds it"
            if fitting
            else "Give the number, such as samples=8, or the column that holds it"
        )
        raise ValueError(
            f"{column} of {name} must be whole counts of some number of samples up to {LARGEST}, and fit none "
            f"or, being rounded, several. {ways}; or, if each value is one rollout's reward, "
            f"{offers('reward', [column])} and threshold=."
        )
    return n


def _own_size(shares: Floats, most: int) -> int:
    """The samples of one checkpoint: fewer than `most`, which all together need, where that is no chance of few shares.

    If all had `most`, a share strictly between 0 and 1 would be a count of n too in about (n - 1)/(most - 1) of cases;
    and n is the one that fits of most - 1 that might have.
    """
    n, between = smallest_count(shares), int(((shares > 0) & (shares < 1)).sum())
    return n if n and n < most and (most - 1) * ((n - 1) / (most - 1)) ** between < CHANCE else most


def smallest_count(shares: Floats) -> int | None:
    """The smallest n with every n x share whole; None where there is none, or where rounding leaves a choice."""
    distinct, (written, exactly) = np.unique(shares), _tolerances(shares)
    rounded, exact = _smallest(distinct, written), _smallest(distinct, exactly)
    if exact is None and rounded is not None and rounded**2 * written < 0.05:  # far from every other fraction
        return rounded
    return exact if exact == rounded else None


def _tolerances(shares: Floats) -> tuple[float, float]:
    """How far shares may be from their counts, if they were rounded as written, and if they are exact."""
    return _rounding(max(map(decimals, np.unique(shares).tolist()))), _rounding(17)


def _smallest(shares: Floats, tolerance: float) -> int | None:
    return next((n for n in range(1, LARGEST + 1) if _fits(shares, n, tolerance)), None)


def _fits(shares: Floats, n: int, tolerance: float) -> bool:
    return bool(np.all(np.abs(shares - np.rint(shares * n) / n) <= tolerance))


def _rounding(digits: int) -> float:
    """How far a share may be from what it was rounded from; one digit is taken as exact, 0.3 being three tenths."""
    return (0.5 * 10.0**-digits if 2 <= digits <= 6 else 1e-6) * (1 + 1e-9)
