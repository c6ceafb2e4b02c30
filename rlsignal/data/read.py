"""`read`: the one way from other people's files, and from what is in memory, to counts."""

import csv
import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from rlsignal import _validate
from rlsignal.data import syntax
from rlsignal.data.columns import KINDS
from rlsignal.data.gather import gather
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.data.sources import tables
from rlsignal.data.tables import NotRows, Rounded, Wanted


def read(
    source: Any,
    *,
    kind: str | None = None,
    prompt: str | None = None,
    repeat: str | None = None,
    dataset: str | None = None,
    reward: str | None = None,
    group: str | None = None,
    step: str | None = None,
    checkpoint: str | None = None,
    correct: str | None = None,
    samples: str | int | None = None,
    rate: str | None = None,
    degenerate: str | None = None,
    scorer: str | None = None,
    filter: str | None = None,
    group_size: int | None = None,
    groups: int | None = None,
    threshold: float | None = None,
    missing: float | None = None,
) -> Rollouts | TrainingLog:
    """Read an evaluation, a dump of rollouts or a training log, whatever wrote it, into counts.

    Known formats are recognised by their columns (docs/formats.md lists them), other tables by the names of theirs. A
    row is one rollout (prompt, reward), a prompt's counts (prompt, n, c), its share of correct samples, its list of 0
    and 1, or a line of a log (step, mean reward). Rows are read one at a time; memory grows with the number of prompts.
    Only a JSON file that is one object, not a list or lines, is held whole. Where the data leaves a choice that would
    change the counts, an error says what to pass.

    Parameters
    ----------
    source : a file, a pattern such as "runs/*.jsonl", a folder, "-" for standard input, a list of these; an array of 0
        and 1 [prompts, samples], a frame of pandas, polars or arrow, a data set of Hugging Face, a mapping of columns,
        an iterable of rows, or a `Recorded`. Files may be compressed.
    kind : "evaluation" (a row a rollout, no training steps), "rollouts" (a row a rollout), "counts", "rates" or "log",
        where it is not recognised.
    prompt, repeat, dataset, reward, group, step, checkpoint, correct, rate, degenerate : names of columns, where they
        are not recognised. `repeat` tells rollouts of one prompt apart, `dataset` prompts of equal ids; `rate` is a
        prompt's share of correct samples, `degenerate` a log's share of degenerate groups. reward="sample_*" names
        columns that hold a sample each.
    samples : the column of the number of samples, or the number itself.
    scorer, filter : which of several verdicts of a response; which of several filters, runs or sections.
    group_size : rollouts per prompt. Where no column tells groups apart, so many consecutive rows are one.
    groups : groups behind each row of a log.
    threshold : rewards above it count as correct; without it rewards must be 0 or 1.
    missing : the reward that stands for none, such as -1.

    Returns
    -------
    Rollouts, or TrainingLog for a log. Both say in `read_as` what the data was taken for, and list in `notes` what is
    unusual.

    Raises
    ------
    ValueError : what cannot be counted without guessing, with its place and the option that settles it.
    FileNotFoundError : no such file.
    ModuleNotFoundError : parquet without the extra `parquet`, Zstandard or TensorBoard without a reader.

    Examples
    --------
    >>> from rlsignal import read
    >>> data = read([{"prompt": "2+2", "reward": 1}, {"prompt": "2+2", "reward": 0}, {"prompt": "6*7", "reward": 1}])
    >>> data.correct, data.samples
    (array([1, 1]), array([2, 1]))
    >>> print(data)
    2 prompts x 1 to 2 samples
      read as: a row a rollout; prompt `prompt`, reward `reward`.
      Groups are of unequal size: 1 to 2 samples, 1 of 2 below 2 (first: prompt '6*7').
    """
    if isinstance(source, Rollouts | TrainingLog):
        return source
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    named = {"prompt": prompt, "repeat": repeat, "dataset": dataset, "reward": reward, "group": group, "step": step}
    named |= {"checkpoint": checkpoint, "correct": correct, "rate": rate, "degenerate": degenerate}
    wrong = next((idea for idea, name in named.items() if not isinstance(name, str | None)), None)
    if wrong:
        raise ValueError(f"{wrong} must be the name of a column, got {named[wrong]!r}.")
    by_number = isinstance(samples, int | np.integer) or (isinstance(samples, str) and samples.isdecimal())
    if not by_number:
        named["samples"] = samples  # type: ignore[assignment]

    def number(name: str, value: Any) -> float | None:
        if value is None:
            return None
        return float(_validate.scalar(name, _validate.within(name, value, -np.inf, np.inf)))

    wanted = Wanted(
        columns={idea: name for idea, name in named.items() if name is not None},
        kind=kind or "",
        samples=_validate.whole("samples", int(samples), 1) if by_number and samples is not None else None,
        group_size=None if group_size is None else _validate.group_size(group_size),
        groups=None if groups is None else _validate.whole("groups", groups, 1),
        threshold=number("threshold", threshold),
        missing=number("missing", missing),
        scorer=scorer,
        filter=filter,
    )
    limit = csv.field_size_limit(syntax.LARGEST)  # a completion may well be longer than csv's default of 128 kB
    try:
        try:
            return _gathered(source, wanted)
        except Rounded:
            if source == "-":
                raise  # it cannot be read twice
            token = syntax.EXACT.set(True)
            try:
                return _gathered(source, wanted)
            finally:
                syntax.EXACT.reset(token)
    except NotRows as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError(f"{source} is nested too deeply to be rollouts.") from None
    finally:
        csv.field_size_limit(limit)


def as_data(data: Any, reading: Mapping[str, Any]) -> Rollouts | TrainingLog:
    """Data as `read` gives it, for functions that hand options of `read` on.

    Raises
    ------
    TypeError : an option that neither has.
    ValueError : options beside data that is read already, and whatever `read` raises.
    """
    for name, value in reading.items():
        if name not in inspect.signature(read).parameters:
            near = difflib.get_close_matches(name, inspect.signature(read).parameters, 1)
            right = "group_size" if name in ("g", "n", "size", "G") else near[0] if near else ""
            raise TypeError(
                f"{name} is no option" + (f": write {right}={value!r}." if right else " of this, nor of read.")
            )
    if reading and isinstance(data, Rollouts | TrainingLog):
        raise ValueError(f"{next(iter(reading))} acts where data is read, and it is read already. Give it to read().")
    return read(data, **reading)


def _gathered(source: Any, wanted: Wanted) -> Rollouts | TrainingLog:
    found, several = tables(source, wanted)
    try:
        return gather(found, wanted, several=several)
    finally:
        getattr(found, "close", lambda: None)()
