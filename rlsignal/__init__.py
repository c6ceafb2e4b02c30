"""Does this checkpoint, with this group size, still give reinforcement learning a signal?

Start with one prompt, a data set, or your own evaluation; each is a distribution of how many rollouts succeed:

>>> import rlsignal as rl
>>> rl.advantage_variance(0.2, 8)
0.14
>>> data = rl.Beta(mean=0.33, dispersion=0.49)
>>> round(rl.degenerate_probability(data, 8), 2)
0.45
>>> rl.informative_probability(rl.Recorded(correct=[0, 1, 8], samples=8), 4)
0.16666666666666666

Where to go on, by question:

- What do I have? `read` a file, then `diagnose` it, `compare` checkpoints, `recommend_group_size`, `track` a log.
- How much signal? `advantage_variance`, `degenerate_probability`, `critical_pass_rate`, `group_size_for`, `pass_at_k`.
- What does an estimator do? `GRPO.weight(p, g)`, `.objective`, `.advantages(rewards)`; others in `rl.estimators`.
- What is true beyond that? `rl.theory`: what a rollout buys, where training goes, entropy, filters, KL.
- How sure is it? `rl.inference`: `group_estimate`, `beta_estimate`, `group_bounds`, `log_estimate`.
- Is it true? `verify`, and the proofs in `rlsignal.proofs.derivations`.
- What happens in a run? `rl.sim` and `rl.plots`; these load jax and matplotlib, this module does not.
"""

from importlib.metadata import version
from typing import Any

from rlsignal import estimators as estimators
from rlsignal import inference as inference
from rlsignal import proofs as proofs
from rlsignal import results as results
from rlsignal import theory as theory
from rlsignal.data.read import read
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.diagnosis.compare import compare
from rlsignal.diagnosis.diagnose import diagnose
from rlsignal.diagnosis.group_size import recommend_group_size
from rlsignal.diagnosis.track import track
from rlsignal.inference.intervals import Estimate
from rlsignal.proofs.verify import verify
from rlsignal.saving import load, save
from rlsignal.theory.distributions import Beta, Fixed, Mixture
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import DR_GRPO, GRPO, MAXRL, RLOO
from rlsignal.theory.passk import pass_at_k
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import advantage_variance, degenerate_probability, informative_probability
from rlsignal.theory.thresholds import critical_pass_rate, dispersion_for, group_size_for

__version__ = version("rlsignal")

__all__ = [
    "DR_GRPO",
    "GRPO",
    "MAXRL",
    "RLOO",
    "Beta",
    "Estimate",
    "Estimator",
    "Fixed",
    "Mixture",
    "Recorded",
    "Rollouts",
    "TrainingLog",
    "advantage_variance",
    "compare",
    "critical_pass_rate",
    "degenerate_probability",
    "diagnose",
    "dispersion_for",
    "group_size_for",
    "informative_probability",
    "load",
    "pass_at_k",
    "read",
    "recommend_group_size",
    "save",
    "track",
    "verify",
]


def __getattr__(name: str) -> Any:
    """`rlsignal.sim` loads jax and `rlsignal.plots` matplotlib, so both wait until they are asked for."""
    if name == "sim":
        import rlsignal.sim

        return rlsignal.sim
    if name == "plots":
        import rlsignal.plots

        return rlsignal.plots
    raise AttributeError(f"module 'rlsignal' has no attribute {name!r}.")
