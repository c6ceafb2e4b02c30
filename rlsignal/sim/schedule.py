"""How long a recipe trains and when it records, and a training run by it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from rlsignal import _validate


class Schedule:
    """What recipes share: `steps` of the optimizer, a record at step 0 and every `record_every` steps (default: at the
    end), and the k of the pass@k that are recorded.
    """

    steps: int
    record_every: int | None
    attempts: tuple[int, ...]

    def check_schedule(self) -> None:
        """Sizes that are whole, a `record_every` that divides the steps, at least one k; else a ValueError."""
        _validate.whole("steps", self.steps, 1, 10**9)
        if not isinstance(self.attempts, tuple) or not self.attempts:
            raise ValueError(f"attempts must be a tuple of at least one k, got {self.attempts!r}. For pass@8: (8,).")
        for k in self.attempts:
            _validate.whole("attempts", k, 1)
        if self.record_every is not None:
            _validate.whole("record_every", self.record_every, 1)
        if self.steps % self.interval:
            raise ValueError(
                f"record_every must divide steps = {self.steps}, got {self.record_every}. "
                f"Choose a divisor, such as {max(d for d in range(1, self.interval) if self.steps % d == 0)}."
            )

    @property
    def interval(self) -> int:
        """Steps between two records."""
        return self.record_every or self.steps

    @property
    def records(self) -> int:
        """How many times metrics are recorded, step 0 and the last step included."""
        return self.steps // self.interval + 1


def run_steps(
    step: Callable[[Any, Array], tuple[Any, Any]], measure: Callable[[Any], Any], state: Any, schedule: Schedule
) -> tuple[Any, tuple[Any, Any]]:
    """A training run with records: the last state; what is measured of the state at each record and what the step from
    there has seen, with a leading axis [records]. The step from the last record is seen but not taken.

    One copy of the step is compiled, where the plain way of writing this has three.
    """

    def until_next_record(state: Any, first: Array) -> tuple[Any, tuple[Any, Any]]:
        def onward(t: Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            state, seen = step(carry[0], t)
            return state, jax.tree.map(lambda new, kept: jnp.where(t == first, new, kept), seen, carry[1])

        goes_on = first < schedule.steps
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(step, state, first)[1])
        last = first + jnp.where(goes_on, schedule.interval, 1)
        later, seen = lax.fori_loop(first, last, onward, (state, nothing))
        return jax.tree.map(lambda new, old: jnp.where(goes_on, new, old), later, state), (measure(state), seen)

    return lax.scan(until_next_record, state, schedule.interval * jnp.arange(schedule.records))
