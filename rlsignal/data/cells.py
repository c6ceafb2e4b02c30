"""What a cell says: missing, a number, k of n, correct or incorrect; as people and programs write them."""

import contextlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CORRECT = (
    *("true", "pass", "passed", "correct", "right", "solved", "resolved", "success", "succeeded", "successful", "ok"),
    *("yes", "accepted", "ac"),
)
INCORRECT = (
    *("false", "fail", "failed", "incorrect", "wrong", "unsolved", "unresolved", "failure", "no", "rejected", "error"),
    *("timeout", "timed out", "time out", "exception", "runtime error", "compile error", "compilation error", "wa"),
    *("syntax error", "syntaxerror", "wrong answer", "time limit exceeded", "tle", "crash", "crashed", "no answer"),
)
WORDS = dict.fromkeys(CORRECT, 1) | dict.fromkeys(INCORRECT, 0)
LETTERS = {"c": 1, "i": 0, "n": 0}  # as Inspect writes them: correct, incorrect, no answer

NOTHING = {"", "none", "null", "na", "n/a", "<na>", "nat", "-", "nan"}
TOTALS = {"total", "totals", "mean", "average", "avg", "overall", "all", "sum", "macro avg", "micro avg"}
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
COMMA = re.compile(r"[+-]?\d+,\d+")
PART = re.compile(r"(\d+)\s*/\s*(\d+)")


def missing(cell: Any) -> bool:
    """Nothing was written, or NaN.

    >>> from rlsignal.data.cells import missing
    >>> [missing(x) for x in (None, "", " n/a", "NaN", float("nan"), 0, "x")]
    [True, True, True, True, True, False, False]
    """
    if isinstance(cell, str):
        return (len(cell) < 5 or cell[0] == " " or cell[-1] == " ") and cell.strip().lower() in NOTHING
    if isinstance(cell, int):
        return False
    return cell is None or is_nan(cell) or type(cell).__name__ in ("NAType", "NaTType")


def is_nan(cell: Any) -> bool:
    """NaN, which a computation left behind, and not an empty cell."""
    if isinstance(cell, str):
        return cell.strip().lower() == "nan"
    return isinstance(cell, float | np.floating) and math.isnan(cell)


def is_total(cell: Any) -> bool:
    """Whether a cell names a row that sums up the others.

    >>> from rlsignal.data.cells import is_total
    >>> [is_total(x) for x in ("TOTAL", " mean: ", "p7", 7)]
    [True, True, False, False]
    """
    return isinstance(cell, str) and cell.strip().rstrip(":").lower() in TOTALS


def number(cell: Any, *, comma: bool = False) -> float | None:
    """A cell as a float, None where it is no finite number; `comma` where a comma is the decimal sign.

    >>> from rlsignal.data.cells import number
    >>> [number(x) for x in (True, "0.5", "37.5%", "1,024", "0,125", "x")], number("1,024", comma=True)
    ([1.0, 0.5, 0.375, 1024.0, 0.125, None], 1.024)
    """
    if isinstance(cell, str):
        text = cell.strip()
        percent = text.endswith("%")
        text = text.removesuffix("%").strip().removesuffix("\N{NO-BREAK SPACE}")
        if not comma and THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        elif COMMA.fullmatch(text):
            text = text.replace(",", ".")
        try:
            value = float(text) if "_" not in text else math.inf
        except ValueError:
            return None
        value = float(f"{value / 100:.15g}") if percent else value  # 43.8% is 0.438, and not its neighbour
    elif isinstance(cell, bool | int | float | np.generic) or type(cell).__name__ == "Decimal":
        try:
            value = float(cell)
        except (TypeError, ValueError, OverflowError):
            return None
    else:
        return None
    return value if math.isfinite(value) else None


def decimals(value: float) -> int:
    """Decimals as written: those of the shortest text that stands for the number.

    >>> from rlsignal.data.cells import decimals
    >>> [decimals(x) for x in (0.125, 1.0, 5e-05)]
    [3, 0, 5]
    """
    mantissa, _, exponent = repr(float(value)).partition("e")
    return len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0)


def part(cell: Any) -> tuple[int, int] | None:
    """(k, n) of "k/n".

    >>> from rlsignal.data.cells import part
    >>> part("3/8"), part("2025/01/02")
    ((3, 8), None)
    """
    found = PART.fullmatch(cell.strip()) if isinstance(cell, str) else None
    return (int(found[1]), int(found[2])) if found else None


def listed(cell: Any) -> list[Any] | None:
    """The items of a cell that is a list, an array, or the JSON of a list; None for anything else."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        with contextlib.suppress(ValueError):
            cell = json.loads(cell.replace("True", "true").replace("False", "false").replace("None", "null"))
    if isinstance(cell, np.ndarray) and cell.ndim:
        cell = cell.tolist()
    return list(cell) if isinstance(cell, list | tuple) else None


def verdict(cell: Any, words: Mapping[str, int] = WORDS) -> int | None:
    """1 for correct, 0 for incorrect, None where a cell says neither.

    >>> from rlsignal.data.cells import verdict
    >>> [verdict(x) for x in (True, 0.0, "1", "Timeout", "pass", 0.5, -1, None)]
    [1, 0, 1, 0, 1, None, None, None]
    """
    if isinstance(cell, str):
        word = words.get(cell.strip().lower())
        if word is not None:
            return word
    value = number(cell)
    return int(value) if value in (0, 1) else None


def verdicts(cells: Sequence[Any], words: Mapping[str, int] = WORDS) -> bool:
    """Whether cells hold nothing but verdicts, or lists of them, and at least one."""
    some = False
    for cell in cells:
        inner = listed(cell)
        for one in inner if inner is not None else [cell]:
            if verdict(one, words) is None:
                if not missing(one):
                    return False
            else:
                some = True
    return some


def share(cell: Any) -> bool:
    """Whether a cell is a number strictly between 0 and 1."""
    value = number(cell)
    return value is not None and 0 < value < 1


def hashable(key: Any) -> Any:
    """The same for equal chat messages, which are lists and cannot be keys themselves."""
    if isinstance(key, tuple):
        return tuple(map(hashable, key))
    try:
        hash(key)
    except TypeError:
        plain = key.tolist() if hasattr(key, "tolist") else key
        return json.dumps(plain, sort_keys=True, default=repr)
    return key
