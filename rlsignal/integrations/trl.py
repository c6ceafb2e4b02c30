"""Beside TRL's GRPOTrainer: degenerate groups as the run goes, and one warning. Changes nothing in the run."""

import logging
from collections.abc import Callable
from typing import Any

from rlsignal.diagnosis.track import Trend, track

try:
    from transformers import TrainerCallback
except ImportError:
    raise ModuleNotFoundError(
        "rlsignal.integrations.trl needs TRL. Install it with: pip install 'rlsignal[trl]'."
    ) from None


class SignalCallback(TrainerCallback):
    """Watches a GRPOTrainer's log, warns once when the run is degenerate or degenerating, and keeps the trend.

    It reads `reward`, `frac_reward_zero_std` and the trainer's own history, so a resumed run is seen whole, and what it
    reports is what `track` finds in the saved trainer_state.json. The reward must be one of 0 and 1.

    Parameters
    ----------
    window : logged rows taken together, as in `track`.
    say : what is called with a sentence; default a warning of the logger "rlsignal".

    Attributes
    ----------
    trend : the Trend so far, with other group sizes under `elsewhere`; None before the first whole window.
    warning : the sentence that was passed on; empty if none was.

    Source: docs/trl.md.
    """

    def __init__(self, *, window: int = 20, say: Callable[[str], Any] | None = None) -> None:
        self.window = window
        self.say = say if say is not None else logging.getLogger("rlsignal").warning
        self.trend: Trend | None = None
        self.warning = ""
        self.counts_groups = True

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Whether this run's `frac_reward_zero_std` counts groups at all."""
        batchwise = getattr(args, "scale_rewards", "group") == "batch"
        summed = getattr(args, "multi_objective_aggregation", "sum_then_normalize") == "sum_then_normalize"
        self.counts_groups = summed and not batchwise
        if not self.counts_groups:
            setting = 'scale_rewards="batch"' if batchwise else 'multi_objective_aggregation="normalize_then_sum"'
            self._once(
                state,
                f"With {setting} TRL's frac_reward_zero_std is about the batch, not about groups: nothing is watched. "
                "Set log_completions=True and run rlsignal diagnose on the completions.",
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Look again whenever the trainer has logged rewards."""
        rows = [row for row in state.log_history if row.get("frac_reward_zero_std") is not None]
        if not self.counts_groups or len(rows) < self.window or "frac_reward_zero_std" not in (logs or {}):
            return
        try:
            self.trend = track(rows, args.num_generations, window=self.window, groups=groups_in_a_row(args))
        except ValueError as error:  # a run is never stopped for what its log lacks
            self.counts_groups = False
            self._once(state, f"The log cannot be watched: {error}")
            return
        if self.trend.warning:
            self._once(state, self.trend.warning)

    def _once(self, state: Any, sentence: str) -> None:
        if not self.warning and state.is_world_process_zero:
            self.say(sentence)
        self.warning = self.warning or sentence


def groups_in_a_row(args: Any) -> int:
    """Groups behind a logged row, at the least: those of one generation. A row may average several."""
    return max(int(args.generation_batch_size) // int(args.num_generations), 1)
