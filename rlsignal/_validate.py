"""Shared checks of numbers, and the wording of their errors: name, range, value, place, way out.

Public functions call these at their door, before any numerics or jit, so nothing deeper needs to check again.
"""

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def numbers(name: str, value: ArrayLike) -> Floats:
    """A float64 copy of `value`, or an error that says what is not a number."""
    try:
        array = np.asarray(value)
    except ValueError:  # numpy refuses ragged nested lists
        array = np.asarray(None)
    if array.dtype.kind == "V" and "float" in array.dtype.name:  # bfloat16 and its kin, which jax brings along
        array = array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        counts = hasattr(value, "correct") and hasattr(value, "samples")  # what `read` returned
        way_out = " Its counts are a distribution: Recorded(data.correct, data.samples)." if counts else ""
        raise ValueError(f"{name} must be a number or an array of numbers, got {shown(value)}.{way_out}")
    if np.ma.is_masked(value):
        hidden = int(np.ma.count_masked(value))
        raise ValueError(f"{name} must have no masked entries, got {hidden}. Leave them out: {name}.compressed().")
    return array.astype(np.float64)


def within(
    name: str, value: ArrayLike, low: float, high: float, *, open_ends: bool = False, way_out: str = ""
) -> Floats:
    """`value` as float64 inside [low, high], or inside (low, high) with `open_ends`. NaN is outside."""
    array = numbers(name, value)
    fine = (array > low) & (array < high) if open_ends else (array >= low) & (array <= high)
    if not np.all(fine):
        if np.isinf(low) and np.isinf(high):
            word = "finite" if open_ends else "a number"
            raise ValueError(f"{name} must be {word}, got {_offender(array, ~fine)}.{_sentence(way_out)}")
        left, right = "()" if open_ends else "[]"
        raise ValueError(
            f"{name} must lie in {left}{low:.6g}, {high:.6g}{right}, got {_offender(array, ~fine)}.{_sentence(way_out)}"
        )
    return array


def probability(name: str, value: ArrayLike, *, way_out: str = "") -> Floats:
    """A pass rate or another probability, in [0, 1]."""
    array = numbers(name, value)
    if not way_out and array.size and np.all((array >= 0) & (array <= 100)) and np.any(array > 2):
        way_out = "If these are percentages, divide them by 100."
    return within(name, array, 0.0, 1.0, way_out=way_out)


def rows(name: str, value: ArrayLike) -> Floats:
    """Probabilities [..., rows], row after row in time."""
    array = probability(name, value)
    if not array.ndim:
        raise ValueError(f"{name} must be one number for each row, got {_plain(array)}. Give one row as [{array:g}].")
    return array


def single(name: str, value: ArrayLike, *, zero: bool = False) -> Floats:
    """Numbers above 0, or 0 with `zero`, of a size that float32 computes with; the error says which they are not."""
    array = numbers(name, value)
    fine = (array > 0) | ((array == 0) & zero)
    if not np.all(fine):
        raise ValueError(f"{name} must be {'at least' if zero else 'above'} 0, got {_offender(array, ~fine)}.")
    low = 0 if zero else 1e-30
    return within(name, array, low, 1e30, way_out="Outside of that float32 overflows or loses it.")


def seed(value: Any, *, reserved: int = 0) -> int:
    """Of a key of jax, which keeps 32 bits; `reserved` seeds that follow are taken too."""
    number, largest = whole("seed", value, 0), 2**32 - 1 - reserved
    if number > largest:
        raise ValueError(f"seed must be at most {largest}, got {number}. Beyond, random numbers repeat small seeds'.")
    return number


def scalar(name: str, value: float | Floats) -> float:
    """The single number in `value`, or an error: roots and ratios are asked for one number at a time."""
    if np.ndim(value):
        raise ValueError(f"{name} must be one number, got an array of shape {np.shape(value)}. Call once per entry.")
    return float(value)


def whole(name: str, value: Any, smallest: int, largest: int = 2**63 - 1, *, way_out: str = "") -> int:
    """A Python int in [smallest, largest]. Floats are refused even when whole: they hide rounding mistakes."""
    if isinstance(value, list | tuple | range | np.ndarray) and np.ndim(value):
        loop = f"Ask for each size: [f(p, {name}) for {name} in sizes]." if len(name) == 1 else "Call once for each."
        raise ValueError(f"{name} must be one whole number, got {shown(value)}. {loop}")
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number of at least {smallest}, got {shown(value)}.") from None
    if isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be a whole number of at least {smallest}, got {value}.")
    if number < smallest:
        raise ValueError(f"{name} must be at least {smallest}, got {number}.{_sentence(way_out)}")
    if number > largest:
        raise ValueError(f"{name} must be at most {largest}, got {number}.{_sentence(way_out)}")
    return number


def group_size(g: Any, largest: int = 10**9) -> int:
    """Rollouts per prompt: at least 2, since one rollout has nothing to be compared with."""
    return whole("g", g, 2, largest)


def counts(correct: ArrayLike, samples: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whole counts [prompts] with 0 <= correct <= samples and samples >= 1; a single `samples` serves all prompts."""
    c, n = (_whole_array(name, x) for name, x in (("correct", correct), ("samples", samples)))
    if c.ndim != 1 or c.size == 0:
        raise ValueError(
            f"correct must be one count per prompt, a non-empty array of shape [prompts], got shape {c.shape}."
        )
    if n.ndim > 1 or (n.ndim == 1 and n.shape != c.shape):
        raise ValueError(
            f"samples must be one number or one count per prompt [{c.size}], got shape {n.shape}. "
            "Give as many entries as `correct` has."
        )
    if np.any(n < 1):
        raise ValueError(f"samples must be at least 1, got {_offender(n, n < 1)}. Leave prompts without samples out.")
    n = np.broadcast_to(n, c.shape)
    wrong = (c < 0) | (c > n)
    if np.any(wrong):
        at = int(np.argmax(wrong))
        raise ValueError(f"correct must lie in [0, samples] = [0, {n[at]}], got {c[at]} at index {at}.")
    return c, n


def rewards(value: Any) -> NDArray[np.int64]:
    """Rewards [..., g] of 0 and 1 with g >= 2, as integers."""
    try:
        array = np.asarray(value)
    except ValueError:  # numpy refuses ragged nested lists
        array = np.asarray(None)
    if array.dtype == object:
        sizes = [len(group) for group in value if hasattr(group, "__len__")] if hasattr(value, "__iter__") else []
        if len(set(sizes)) > 1:
            odd = next(i for i, size in enumerate(sizes) if size != sizes[0])
            raise ValueError(
                f"rewards must be groups of equal size, got {sizes[0]} rollouts in group 0 and {sizes[odd]} in "
                f"group {odd}. Pass groups of one size at a time."
            )
        raise ValueError(f"rewards must be an array of 0 and 1, got {shown(value)}.")
    array = numbers("rewards", array)
    fine = (array == 0) | (array == 1)
    if not np.all(fine):
        raise ValueError(
            f"reward must be 0 or 1, got {_offender(array, ~fine)}. rlsignal reads binary rewards; "
            "threshold them first."
        )
    if array.ndim == 0 or array.shape[-1] < 2:
        raise ValueError(
            f"rewards must have groups of at least 2 rollouts on the last axis, got shape {array.shape}. "
            "One rollout has nothing to be compared with."
        )
    return array.astype(np.int64)


def _whole_array(name: str, value: ArrayLike) -> NDArray[np.int64]:
    array = numbers(name, value)
    fine = (np.abs(array) <= 2.0**53) & (array == np.floor(array))
    if not np.all(fine):
        raise ValueError(f"{name} must be whole counts, got {_offender(array, ~fine)}.")
    return array.astype(np.int64)


def _offender(array: NDArray[Any], bad: NDArray[np.bool_]) -> str:
    """The first bad value, and where it stands."""
    if array.ndim == 0:
        return _plain(array)
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{_plain(array[where])} at index {where[0] if len(where) == 1 else where}"


def _plain(number: Any) -> str:
    number = float(number)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _sentence(text: str) -> str:
    return f" {text}" if text else ""
