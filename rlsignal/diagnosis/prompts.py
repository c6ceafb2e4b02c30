"""Which prompts to keep: for each, how often a group of it is informative, and whether it is hopeless or solved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, plain
from rlsignal._validate import Floats
from rlsignal.data.read import as_data
from rlsignal.data.records import Readable, Rollouts, TrainingLog
from rlsignal.inference.evaluation import Evaluation
from rlsignal.theory.distributions import Fixed
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import informative_probability

LITTLE = 0.02
"""Prompts on which fewer groups than this are informative may as well be left out."""


@dataclass(frozen=True, eq=False, repr=False)
class PromptList(Result):
    """Prompts with the probability that each is of no use at this group size. `print` it for the counts.

    group_size : g.
    prompt : [prompts], ids.
    correct, samples : [prompts], counts, all visits of a prompt together.
    informative : [prompts], share of informative groups of g that is expected.
    hopeless, solved : [prompts], probability that fewer than 2% of the groups are informative, the pass rate being
        near 0, or near 1. All three are NaN where samples that are all alike, or one of each prompt, tell no prompt
        from another; none is dropped then.
    """

    axes: ClassVar = dict.fromkeys(("correct", "samples", "informative", "hopeless", "solved"), "P")

    group_size: int
    prompt: tuple[Any, ...]
    correct: NDArray[np.int64]
    samples: NDArray[np.int64]
    informative: Floats
    hopeless: Floats
    solved: Floats

    @property
    def kind(self) -> NDArray[np.str_]:
        """[prompts]: "hopeless" or "solved" where fewer than 2% informative groups are expected, else "informative"."""
        one_sided = np.where(2 * self.correct < self.samples, "hopeless", "solved")
        return np.where(self.informative < LITTLE, one_sided, "informative")

    def rows(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """One row a prompt, JSON-ready; of these kinds only, where some are named."""
        for i, kind in enumerate(self.kind.tolist()):
            if not kinds or kind in kinds:
                numbers = {name: getattr(self, name)[i] for name in ("informative", "hopeless", "solved")}
                yield {
                    "id": self.prompt[i],
                    "c": int(self.correct[i]),
                    "n": int(self.samples[i]),
                    "kind": kind,
                    **{name: plain(round(float(x), 4)) for name, x in numbers.items()},
                }

    def _parts(self) -> Iterable[Part]:
        yield f"{len(self.prompt)} prompts, groups of {self.group_size}"
        yield Table(
            ("kind", "prompts", "informative groups expected"),
            [
                (name, str(int(which.sum())), f"{self.informative[which].mean():.0%}" if which.any() else "-")
                for name in ("informative", "hopeless", "solved")
                for which in [self.kind == name]
            ],
        )


def list_prompts(data: "Readable", group_size: int = 8, **reading: Any) -> PromptList:
    """For each prompt the probability that it is hopeless or solved at this group size, given its samples.

    The anchored fit says how pass rates differ between prompts (I11), and the counts of a prompt which of them are its
    own. Eight failures alone make no prompt hopeless: that depends on how many prompts like it there are. A pass rate
    of 0 and one of 0.001 look alike in a few samples, so the probability of `hopeless` is a cautious one where many
    prompts are impossible, while the expected share of informative groups, which decides, is not.

    Parameters
    ----------
    data : an evaluation of one checkpoint: whatever `read` takes, or what it returned.
    group_size : g, at least 2.
    reading : options of `read`.

    Returns
    -------
    PromptList.

    Raises
    ------
    ValueError : as `read`; a training log, several checkpoints.

    Source: docs/diagnosis.md; docs/theory.md (I11).

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.diagnosis.prompts import list_prompts
    >>> found = list_prompts({"prompt": range(400), "n": [16] * 400, "c": [0] * 200 + [7, 8, 9, 10] * 50}, 8)
    >>> {str(kind): int(number) for kind, number in zip(*np.unique(found.kind, return_counts=True))}
    {'hopeless': 200, 'informative': 200}
    """
    g = _validate.group_size(group_size)
    rollouts = as_data(data, reading)
    if isinstance(rollouts, TrainingLog):
        raise ValueError("data must be rollouts of prompts, got a training log. It names no prompts.")
    rollouts = _together(one_checkpoint("data", rollouts))
    seen = Evaluation(Recorded(rollouts.correct, rollouts.samples))

    def useless(p: Fixed, near: int) -> Floats:
        rate = np.asarray(p.p)
        return ((np.asarray(informative_probability(p, g)) < LITTLE) & (np.rint(rate) == near)).astype(np.float64)

    return PromptList(
        group_size=g,
        prompt=rollouts.prompt,
        correct=rollouts.correct,
        samples=rollouts.samples,
        informative=seen.of_each_prompt(lambda p: np.asarray(informative_probability(p, g))),
        hopeless=seen.of_each_prompt(lambda p: useless(p, 0)),
        solved=seen.of_each_prompt(lambda p: useless(p, 1)),
    )


def one_checkpoint(name: str, rollouts: Rollouts) -> Rollouts:
    """These rollouts, if they are of one checkpoint; `name` is the argument's."""
    if len(rollouts.checkpoints) > 1:
        names = ", ".join(map(str, rollouts.checkpoints))
        raise ValueError(f"{name} must hold one checkpoint, got {names}. Choose one with at(checkpoint=).")
    return rollouts


def by_prompt(rollouts: Rollouts) -> tuple[tuple[Any, ...], NDArray[np.int64]]:
    """The prompts, each once, and [entries], which of them an entry is of."""
    place = {prompt: i for i, prompt in enumerate(dict.fromkeys(rollouts.prompt))}
    return tuple(place), np.array([place[prompt] for prompt in rollouts.prompt])


def _together(rollouts: Rollouts) -> Rollouts:
    """All visits of a prompt as one entry."""
    prompts, which = by_prompt(rollouts)
    correct, samples = (np.bincount(which, x).astype(np.int64) for x in (rollouts.correct, rollouts.samples))
    return replace(rollouts, prompt=prompts, correct=correct, samples=samples, step=None, checkpoint=None, entropy=None)
