"""The inversion map: outcomes over grids of starts, the controls beside them, and the reading."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Face:
    """Outcomes over a grid of starts: one face of the inversion map.

    Letters of shapes: G group sizes, B the two budgets (equal steps, equal rollouts), Y rows, X columns, D draws.

    rows : [Y], what `knob` names: entropy in nats, or dispersion.
    pass_rate : [X], pass@1 of the start.
    entropy, dispersion : [Y, X], of the start, mean over draws; NaN where no such start exists.
    outcome, outcome_at_k : [G, B, Y, X, D], pass@1 and pass@k after the budget, by the mean field.
    reached : [G, B, Y, X, D], what the reachability law predicts: the share of prompts with p above p_c.
    sampled : [G, B, Y, X, D], pass@1 after sampled GRPO on the same starts; NaN where none was run.
    """

    knob: str
    rows: np.ndarray
    pass_rate: np.ndarray
    entropy: np.ndarray
    dispersion: np.ndarray
    outcome: np.ndarray
    outcome_at_k: np.ndarray
    reached: np.ndarray
    sampled: np.ndarray

    @property
    def missing(self) -> int:
        """How many starts of the grid do not exist in every draw, and are NaN."""
        return int(np.isnan(self.outcome[0, 0]).any(-1).sum())

    @property
    def exchange_rate(self) -> np.ndarray:
        """[G, B, Y, X], pass@1 per unit of the knob: (dV/d row) / (dV/d p0) by differences over the grid.

        In the sharpening family, in pass@1 per nat: an SFT step that gains less pass@1 for each nat that it spends
        lowers the outcome. NaN where the outcome no longer depends on the start's pass@1.
        """
        by_row, by_rate = np.gradient(self.outcome.mean(-1), self.rows, self.pass_rate, axis=(2, 3))
        return np.divide(by_row, by_rate, out=np.full_like(by_row, np.nan), where=np.abs(by_rate) > 0.05)


@dataclass(frozen=True, eq=False)
class Control:
    """One thing varied and the rest held: what moves the outcome?

    values, entropy, dispersion : [V], the thing varied, and the start's response entropy (nats) and dispersion.
    outcome, sampled : [V, D], pass@1 after the equal-steps budget, by the mean field and by sampled GRPO.
    effect, sampled_effect : (mean, low, high) of the last value's outcome minus the first's, 95% over paired draws.
    """

    name: str
    varied: str
    held: str
    values: np.ndarray
    entropy: np.ndarray
    dispersion: np.ndarray
    outcome: np.ndarray
    sampled: np.ndarray
    effect: tuple[float, ...]
    sampled_effect: tuple[float, ...]

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.varied} {self.values[0]:.2g} -> {self.values[-1]:.2g}, {self.held}:\n"
            f"    pass@1 after {self.outcome[0].mean():.3f} -> {self.outcome[-1].mean():.3f}, {_signed(self.effect)}; "
            f"sampled {_signed(self.sampled_effect)}"
        )


@dataclass(frozen=True, eq=False)
class InversionMap:
    """Where GRPO turns the order of checkpoints, and what causes it. `print` it for the reading.

    sharpening : Face over (entropy, pass@1), in which one knob moves entropy and dispersion together, as SFT does.
    spread : Face over (dispersion, pass@1) at a fixed entropy inside the classes.
    controls : entropy inside the classes; dispersion; where the hard prompts are, at one dispersion; the first again
        under natural gradient.
    inverted_share, share_at_k, sampled_share, noise_floor, law_error : [G, B], over the sharpening face: the share of
        pairs of starts whose order turns, by pass@1 and by pass@k in the mean field, and by pass@1 sampled; the largest
        half-width of a paired 95% interval; the rms error of the reachability law.
    least : the smallest loss of pass@1 that counts as an inversion.
    mean_field_error : (max, mean) distance of mean field and sampling, per cell of the sharpening face; the mean is
        over cells that end between 0.05 and 0.95.
    explained : (entropy, dispersion), the share of the outcome's variance over independent starts that a quadratic in
        pass@1 and that quantity knows.
    """

    group_sizes: tuple[int, ...]
    steps: int
    rollouts: int
    estimator: str
    learning_rate: float
    prompts: int
    responses: int
    correct: int
    k: int
    draws: int
    seed: int
    sharpening: Face
    spread: Face
    controls: tuple[Control, ...]
    inverted_share: np.ndarray
    share_at_k: np.ndarray
    sampled_share: np.ndarray
    noise_floor: np.ndarray
    least: float
    law_error: np.ndarray
    mean_field_error: tuple[float, ...]
    explained: tuple[float, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "group_sizes": list(self.group_sizes),
            "mean_field_error": dict(zip(("max", "mean"), self.mean_field_error, strict=True)),
            "inverted_share": self._by_size(self.inverted_share[:, 0]),
            "inverted_share_at_equal_rollouts": self._by_size(self.inverted_share[:, 1]),
            "inverted_share_at_k": self._by_size(self.share_at_k[:, 0]),
            "inverted_share_sampled": self._by_size(self.sampled_share[:, 0]),
            "missing_starts": {"entropy": self.sharpening.missing, "dispersion": self.spread.missing},
            "noise_floor": float(self.noise_floor.max()),
            "law_error": self._by_size(self.law_error[:, 0]),
            "explained": dict(zip(("entropy", "dispersion"), self.explained, strict=True)),
            "controls": {
                control.name: {
                    "varied": control.varied,
                    "from": float(control.values[0]),
                    "to": float(control.values[-1]),
                    "effect": list(control.effect),
                    "sampled_effect": list(control.sampled_effect),
                }
                for control in self.controls
            },
        }

    def _by_size(self, values: np.ndarray) -> dict[str, float]:
        return {str(g): float(value) for g, value in zip(self.group_sizes, values, strict=True)}

    def __str__(self) -> str:
        face = self.sharpening
        y, x = len(face.rows) // 2, len(face.pass_rate) // 2
        lines = [
            f"Where. Starts on a grid of {len(face.pass_rate)} pass@1 in [{face.pass_rate[0]:g}, "
            f"{face.pass_rate[-1]:g}] x {len(face.rows)} entropies in [{face.rows[0]:g}, {face.rows[-1]:g}] nats "
            f"({self.draws} draws of {self.prompts} prompts, {self.responses} responses, {self.correct} correct); "
            f"{self.estimator}, plain ascent at rate {self.learning_rate:g}.",
            f"A pair is inverted when the start with more pass@1 ends lower, by more than noise and {self.least:g}.",
            f"   g   {f'inverted at {self.steps} steps (sampled)':>31}   {f'at {self.rollouts} rollouts (sampled)':>26}"
            f"   noise floor   worth of a nat at p0={face.pass_rate[x]:.3g}, H0={face.rows[y]:.3g}",
        ]
        for i, g in enumerate(self.group_sizes):
            steps, rollouts = (
                f"{share:.1%} ({sampled:.1%})"
                for share, sampled in zip(self.inverted_share[i], self.sampled_share[i], strict=True)
            )
            lines.append(
                f"{g:4d}   {steps:>31}   {rollouts:>26}   {self.noise_floor[i].max():11.4f}   "
                f"{face.exchange_rate[i, 0, y, x]:.3f} pass@1"
            )
        if face.missing:
            lines.append(f"{face.missing} of the {len(face.rows) * len(face.pass_rate)} starts do not exist; left out.")
        lines.append("Worth of a nat: an SFT step that gains less pass@1 for each nat it spends lowers the outcome.")
        lines += ["What causes it (95% intervals over paired draws).", *(f"  {control}" for control in self.controls)]
        entropy, dispersion = self.explained
        lines += [
            "Over 160 Beta starts that fill a box of means, dispersions and entropies, pass@1 and entropy explain "
            f"{entropy:.0%} of the outcome, pass@1 and dispersion {dispersion:.0%}.",
            "What decides is the share of prompts that start above p_c. Entropy inside the classes is not it; "
            "dispersion is, as long as it sets that share.",
            "The law, outcome = that share: rms error "
            + ", ".join(f"{error:.3f} (g={g})" for g, error in zip(self.group_sizes, self.law_error[:, 0], strict=True))
            + f" at {self.steps} steps.",
            "Mean field against sampling, per cell of the first face: at most {:.3f}, on average {:.3f}.".format(
                *self.mean_field_error
            ),
            "A tabular policy: no prompt learns from another. What this does not show is in docs/inversion.md.",
        ]
        return "\n".join(lines)


def _signed(effect: tuple[float, ...]) -> str:
    """Mean and interval, to three digits; what rounds to nothing has no sign."""
    mean, low, high = (f"{round(x, 3) + 0.0:+.3f}" for x in effect)
    return f"{mean} [{low}, {high}]"
