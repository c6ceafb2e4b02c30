"""Beside TRL's GRPOTrainer: degenerate groups as the run goes, and one warning. Changes nothing in the run."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rlsignal.diagnosis.track import Trend, first_warning, track

try:
    from transformers import TrainerCallback
except ImportError:
    raise ModuleNotFoundError(
        "rlsignal.integrations.trl needs TRL. Install it with: pip install 'rlsignal[trl]'."
    ) from None

logger = logging.getLogger("rlsignal")


class SignalCallback(TrainerCallback):
    """Watches a GRPOTrainer's log, warns once when the run is degenerate or degenerating, and keeps the trend.

    It reads `reward`, `frac_reward_zero_std` and the trainer's own history, so a resumed run is seen whole, and what it
    reports is what `track` finds in the saved trainer_state.json. Rows without a reward, such as those of an
    evaluation, are passed over. With one reward function of 0 and 1 the whole trend is kept; with several, or a graded
    one, the degenerate groups of their sum still are.

    Parameters
    ----------
    window : logged rows taken together, as in `track`.
    say : what is called with a sentence; default a warning of the logger "rlsignal". If it fails, the run goes on.

    Attributes
    ----------
    warning : the sentence that was passed on; empty if none was.

    Source: docs/trl.md.
    """

    def __init__(self, *, window: int = 20, say: Callable[[str], Any] | None = None) -> None:
        self.window = window
        self.say = say if say is not None else logger.warning
        self.warning = ""
        self.counts_groups = True
        self._rows: list[dict[str, Any]] = []
        self._shares: list[float] = []  # of degenerate groups, in the same rows
        self._sizes = (0, 1)  # of a group, and of a row in groups

    @property
    def trend(self) -> Trend | None:
        """The Trend so far, with other group sizes under `elsewhere`; None before the first whole window."""
        if not self.counts_groups or len(self._rows) < self.window:
            return None
        group_size, groups = self._sizes
        return track(self._rows, group_size, window=self.window, groups=groups)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Whether this run's `frac_reward_zero_std` counts groups at all, and what a resumed run has seen before."""
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
        self._sizes = args.num_generations, groups_in_a_row(args)
        self._rows, self._shares = [], []
        for row in state.log_history:
            self._keep(row)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Look again whenever the trainer has logged rewards; a run is never stopped from here."""
        if not self.counts_groups or not self._keep(state.log_history[-1] if state.log_history else logs or {}):
            return
        try:
            _, rule = first_warning(np.array(self._shares), self._sizes[1], window=self.window)
            if rule and not self.warning and self.trend is not None:
                self._once(state, self.trend.warning)
        except Exception as error:  # whatever the log holds, training goes on
            self.counts_groups = False
            self._once(state, f"The log cannot be watched: {error}")

    def _keep(self, row: Mapping[str, Any]) -> bool:
        """Keep a row if it has a reward and counts groups."""
        reward, share = row.get("reward"), row.get("frac_reward_zero_std")
        if not isinstance(reward, int | float) or not isinstance(share, int | float):
            return False
        if not (np.isfinite(reward) and 0 <= share <= 1):
            return False
        self._rows.append(dict(row))
        self._shares.append(float(share))
        return True

    def _once(self, state: Any, sentence: str) -> None:
        if not self.warning and state.is_world_process_zero:
            try:
                self.say(sentence)
            except Exception:
                logger.exception("The sentence could not be passed on: %s", sentence)
        self.warning = self.warning or sentence


def groups_in_a_row(args: Any) -> int:
    """Groups behind a logged row, at the least: those of one generation. A row may average several."""
    return max(int(args.generation_batch_size) // int(args.num_generations), 1)
