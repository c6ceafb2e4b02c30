"""What a run leaves behind, once read: counts per prompt, or a training log. Both carry notes on what is unusual."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rlsignal._show import Part, Result

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Readable: TypeAlias = Any
"""Whatever `read` takes, or what it returned."""


ONE = {"have": "has", "are": "is", "hold": "holds", "belong": "belongs", "stand": "stands"}
"""Verbs of what there are several of, and of one."""


@dataclass(frozen=True, repr=False)
class Note(Result):
    """Something a reader should know of the data.

    kind : one word for machines, such as "restart", "missing", "truncated", "unequal", "inferred".
    text : a sentence.
    where : the first place, such as "line 7 of run.csv"; empty where it is the whole source.
    count : how many rows, or prompts, it concerns.
    """

    kind: str
    text: str
    where: str = ""
    count: int = 1

    @property
    def sentence(self) -> str:
        """The text with its place, in one line."""
        text = self.text
        if found := re.match(r"1 (\w+)s (have|are|hold|belong|stand) ", text):
            text = f"1 {found[1]} {ONE[found[2]]} {text[found.end() :].replace(' and are ', ' and is ')}"
        return f"{text[:-1]} (first: {self.where})." if self.where else text

    def _parts(self) -> Iterator[Part]:
        yield self.sentence


class _Read:
    """What both kinds say of their reading."""

    read_as: str
    options: tuple[tuple[str, Any], ...]
    notes: tuple[Note, ...]

    @property
    def call(self) -> str:
        """The call that repeats the reading with nothing left to guess."""
        return f"read(source, {', '.join(f'{name}={value!r}' for name, value in self.options)})"

    def _about(self) -> Iterator[Part]:
        yield from (f"  read as: {self.read_as}." for _ in range(bool(self.read_as)))
        yield from (f"  {note.sentence}" for note in self.notes)


@dataclass(frozen=True, eq=False, repr=False)
class Rollouts(_Read, Result):
    """How many rollouts succeeded: one entry per prompt, checkpoint and training step.

    `Recorded(rollouts.correct, rollouts.samples)` is their distribution. In a dump of training each entry is one group.

    prompt : [entries], ids or texts as they stood in the data; (data set, id) where there are several data sets.
    correct, samples : [entries], whole counts with samples >= 1.
    step : [entries], training step; None where the data has none.
    checkpoint : [entries], the model or visit; None where the data has none.
    entropy : [entries], mean of the entropy column in the data's own unit; NaN where missing, None without a column.
    notes : what is unusual.
    read_as : what the data was taken for, and which of its columns is what.
    options : arguments of `read` that repeat the reading with nothing left to guess.
    """

    axes: ClassVar = {"correct": "E", "samples": "E"}

    prompt: tuple[Any, ...]
    correct: Counts
    samples: Counts
    step: Floats | None = None
    checkpoint: tuple[Any, ...] | None = None
    entropy: Floats | None = None
    notes: tuple[Note, ...] = ()
    read_as: str = ""
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def prompts(self) -> int:
        """How many different prompts there are."""
        return len(set(self.prompt))

    @property
    def checkpoints(self) -> tuple[Any, ...]:
        """The different checkpoints, in order of appearance."""
        return tuple(dict.fromkeys(self.checkpoint or ()))

    @property
    def steps(self) -> Floats:
        """The different training steps, ascending."""
        return np.unique(self.step) if self.step is not None else np.empty(0)

    def at(self, *, checkpoint: Any = None, step: float | None = None) -> "Rollouts":
        """The entries of one checkpoint, one step, or one step of one checkpoint."""
        keep = np.ones(len(self.prompt), bool)
        for name, value, column in (("checkpoint", checkpoint, self.checkpoint), ("step", step, self.step)):
            if value is not None:
                keep &= np.array([x == value for x in (column if column is not None else ())] or [False])
                if not keep.any():
                    known = self.checkpoints if name == "checkpoint" else self.steps.tolist()
                    raise ValueError(f"{name} must be one of {list(known)[:10]}, got {value!r}.")
        return self.only(keep)

    def only(self, keep: NDArray[np.bool_]) -> "Rollouts":
        """The entries that are marked, [entries]."""
        which = np.flatnonzero(keep)
        return replace(
            self,
            prompt=tuple(self.prompt[i] for i in which),
            correct=self.correct[which],
            samples=self.samples[which],
            step=None if self.step is None else self.step[which],
            checkpoint=None if self.checkpoint is None else tuple(self.checkpoint[i] for i in which),
            entropy=None if self.entropy is None else self.entropy[which],
        )

    def _parts(self) -> Iterator[Part]:
        low, high = self.samples.min(), self.samples.max()
        parts = [f"{self.prompts} prompts x {low}" + (f" to {high}" if high > low else "") + " samples"]
        parts += [f"{len(self.checkpoints)} checkpoints"] if len(self.checkpoints) > 1 else []
        parts += [f"{len(self.steps)} steps"] if self.step is not None else []
        yield ", ".join(parts)
        yield from self._about()


@dataclass(frozen=True, eq=False, repr=False)
class TrainingLog(_Read, Result):
    """What a trainer printed: one entry per logged row, all [rows].

    step : training step.
    reward : mean of the binary reward; NaN where the logged one is not binary.
    samples : rollouts behind each mean, as stated or inferred; 0 where unknown.
    degenerate : fraction of degenerate groups; NaN where not logged.
    degenerate_of : the column whose groups those are, where it is another than that of `reward`; else "".
    reward_std : standard deviation as logged; NaN where not.
    reward_std_of : "groups" (mean of the groups' s.d.), "batch", or "" where it is unknown.
    entropy : in the log's own unit; NaN where not logged.
    superseded : rows that a later restart or repetition of their step replaced.
    group_size : rollouts per prompt, where the log or the caller states it, or its fractions do.
    groups : groups behind each row, where the log or the caller states it, or its fractions do.
    notes : what is unusual.
    read_as : what the data was taken for, and which of its columns is what.
    options : arguments of `read` that repeat the reading with nothing left to guess.
    """

    axes: ClassVar = dict.fromkeys(
        ("step", "reward", "samples", "degenerate", "reward_std", "entropy", "superseded"), "R"
    )

    step: Floats
    reward: Floats
    samples: Counts
    degenerate: Floats
    reward_std: Floats
    reward_std_of: str
    entropy: Floats
    superseded: NDArray[np.bool_]
    group_size: int | None = None
    notes: tuple[Note, ...] = ()
    read_as: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    degenerate_of: str = ""
    groups: int | None = None

    @property
    def correct(self) -> Counts:
        """Correct rollouts behind each mean; 0 where `samples` is 0, that is, unknown."""
        return np.rint(np.nan_to_num(self.reward) * self.samples).astype(np.int64)

    @property
    def latest(self) -> "TrainingLog":
        """The run that counts in the end: without the rows that later ones superseded."""
        rows = ("step", "reward", "samples", "degenerate", "reward_std", "entropy", "superseded")
        return replace(self, **{name: getattr(self, name)[~self.superseded] for name in rows})

    def _parts(self) -> Iterator[Part]:
        yield f"training log of {len(self.step)} rows, steps {self.step.min():g} to {self.step.max():g}"
        yield from self._about()
