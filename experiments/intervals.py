"""How often every other printed interval holds the truth: `make evidence-coverage` writes docs/evidence/intervals.json.

Samples, not histograms, go through the functions that print; `experiments.coverage` has the group statistics within the
samples in more detail. Recorded counts of others, where they are at hand, are taken for populations: prompts are drawn
from them, and fewer samples of each than there are, so that the truth is known.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import rlsignal
from rlsignal import GRPO, Beta, Fixed, Recorded, compare, degenerate_probability, pass_at_k, read, track
from rlsignal.data.records import Rollouts
from rlsignal.diagnosis.track import Trend
from rlsignal.inference import beta_estimate, dispersion_estimate, group_estimate
from rlsignal.inference.evaluation import FITTED, Evaluation
from rlsignal.inference.intervals import Estimate
from rlsignal.inference.paired import Score, part_difference, score_difference
from rlsignal.theory import forecast

PLACE = Path(__file__).parents[1] / "docs" / "evidence" / "intervals.json"
RECORDED = Path(__file__).parents[2] / "shared" / "data"
REPETITIONS = {"many": 400, "programmes": 100}
Rates = Callable[[np.random.Generator, int], np.ndarray]


def beta(mean: float, dispersion: float) -> Rates:
    if dispersion == 0:
        return lambda rng, prompts: np.full(prompts, mean)
    size = 1 / dispersion - 1
    return lambda rng, prompts: rng.beta(mean * size, (1 - mean) * size, prompts)


def kinds(rates: tuple[float, ...], shares: tuple[float, ...]) -> Rates:
    return lambda rng, prompts: rng.choice(rates, prompts, p=shares)


def two_betas(rng: np.random.Generator, prompts: int) -> np.ndarray:
    return np.where(rng.random(prompts) < 0.5, rng.beta(2, 18, prompts), rng.beta(8, 2, prompts))


SHAPES: dict[str, Rates] = {
    "Beta, mean .3, dispersion .3": beta(0.3, 0.3),
    "Beta, mean .15, dispersion .5": beta(0.15, 0.5),
    "half impossible, half at .5": kinds((0.0, 0.5), (0.5, 0.5)),
    ".02, .5 and .97": kinds((0.02, 0.5, 0.97), (0.4, 0.3, 0.3)),
    "two Betas": two_betas,
}
PUBLIC = {  # samples of each prompt that are drawn, and file
    "CRUXEval, Code Llama 7B (800 x 10)": ((5, 2), "cruxeval_codellama7b_input.json"),
    "One-Shot RLVR, first visit (1209 x 8)": ((4, 2, 1), "one_shot_rlvr_acc_first6visits.json"),
    "AMC23, Llama 3B after RL (40 x 50)": ((25, 12, 6), "rgeval_llama3b_step400_amc23.json"),
    "GSM8K, Llama 8B (30 x 32)": ((16, 8, 4), "zvf_probe_gsm8k_llama8b_base_G32.csv"),
}


def held(found: Estimate, truth: float) -> bool:
    return found.low - 1e-9 <= truth <= found.high + 1e-9


def row(interval: str, where: str, holds: list[bool], nominal: float = 0.95, **more: Any) -> dict[str, Any]:
    share = float(np.mean(holds))
    return {"interval": interval, "where": where, "nominal": nominal, "held": share, "draws": len(holds), **more}


def dispersions(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for prompts, n, mean, rho in (
        *((100, 8, 0.3, rho) for rho in (0.0, 0.02, 0.1, 0.3, 0.6, 0.9)),
        *((300, 16, mean, 0.2) for mean in (0.005, 0.02, 0.1)),
        (30, 8, 0.3, 0.3),
    ):
        rates = beta(mean, rho)
        holds = [
            held(dispersion_estimate(Recorded(rng.binomial(n, rates(rng, prompts)), n)), rho)
            for _ in range(REPETITIONS["many"])
        ]
        yield row("dispersion", f"{prompts} prompts x {n}, mean {mean:g}, dispersion {rho:g}", holds)


def pass_at(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for mean, rho in ((0.3, 0.3), (0.1, 0.6), (0.5, 0.05), (0.02, 0.3)):
        rates = beta(mean, rho)
        for k in (1, 4, 16):
            truth = float(pass_at_k(Beta(mean, rho), k))
            holds = [
                held(group_estimate(pass_at_k, Recorded(rng.binomial(16, rates(rng, 100)), 16), k), truth)
                for _ in range(REPETITIONS["many"])
            ]
            yield row(f"pass@{k}", f"100 prompts x 16, mean {mean:g}, dispersion {rho:g}", holds)


def clusters(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    equal, unequal = np.repeat(np.arange(40), 8), np.repeat(np.arange(100), rng.permutation([1] * 50 + [8] * 50))
    for name, labels in (("40 prompts visited 8 times", equal), ("100 prompts, half of them visited 8 times", unequal)):
        rates = beta(0.3, 0.5)
        for g in (4, 8, 16):
            truth, holds = float(degenerate_probability(Beta(0.3, 0.5), g)), []
            for _ in range(REPETITIONS["programmes" if g > 8 else "many"]):
                data = Recorded(rng.binomial(8, rates(rng, labels.max() + 1)[labels]), 8)
                holds.append(held(Evaluation(data, labels).estimate(degenerate_probability, g), truth))
            yield row(f"clustered, degenerate at g = {g}", f"{name}, 8 samples", holds)


def beyond(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for name, rates in SHAPES.items():
        whole = rates(rng, 400_000)
        for prompts in (100, 400):
            for g in (16, 32, 64):
                truth = float(np.mean(degenerate_probability(whole, g)))

                yield _beyond(f"{name}; {prompts} prompts x 8", partial(_sampled, rng, rates, prompts), g, truth)


def recorded(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Prompts drawn from recorded ones, and fewer samples of each."""
    for name, (sizes, file) in PUBLIC.items():
        if not (RECORDED / file).is_file():
            continue
        whole = read(RECORDED / file)
        assert isinstance(whole, Rollouts), file
        whole = whole.at(checkpoint=whole.checkpoints[0]) if whole.checkpoints else whole
        most = int(whole.samples.min())
        for n in sizes:
            for g in (x for x in (n, 2 * n, 4 * n, 8 * n) if 1 < x <= most):
                truth = float(degenerate_probability(Recorded(whole.correct, whole.samples), g))

                yield _beyond(f"{name}; 200 prompts x {n}", partial(_thinned, rng, whole, n), g, truth)


def _sampled(rng: np.random.Generator, rates: Rates, prompts: int) -> Recorded:
    return Recorded(rng.binomial(8, rates(rng, prompts)), 8)


def _thinned(rng: np.random.Generator, whole: Rollouts, n: int) -> Recorded:
    """200 prompts drawn from recorded ones, n samples of each drawn from its own."""
    which = rng.integers(len(whole.correct), size=200)
    c = whole.correct[which]
    return Recorded(rng.hypergeometric(c, whole.samples[which] - c, n), n)


def _beyond(where: str, draw: Callable[[], Recorded], g: int, truth: float) -> dict[str, Any]:
    """The interval, and the errors of the Beta's value and of the anchored fit's beside each other."""
    holds, widths, errors, betas, n = [], [], [], [], 0
    for _ in range(REPETITIONS["programmes"]):
        data = draw()
        seen = Evaluation(data)
        found, n = seen.estimate(degenerate_probability, g), seen.reach
        holds.append(held(found, truth))
        widths.append(found.high - found.low)
        if seen.fit is not None and n < g:
            answer = seen.fit.predict(degenerate_probability, g)
            errors.append((answer.value - truth, found.value - truth))
            betas.append(held(answer, truth))
    off = np.sqrt(np.mean(np.square(errors), 0)) if errors else (np.nan, np.nan)
    more = {"times": g / n, "width": float(np.mean(widths))}
    if errors:
        more |= {"beta_held": float(np.mean(betas)), "beta_error": float(off[0])}
        more |= {"anchored_error": float(off[1])} if g < FITTED * n else {}
    return row(f"degenerate at g = {g}", where, holds, **more)


def logs(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    population = Beta(0.3, 0.4)
    truth = float(degenerate_probability(population, 8))
    for groups in (1, 8, 64):
        windows, elsewhere = [], []
        for _ in range(REPETITIONS["many"]):
            c = rng.binomial(8, rng.beta(*_ab(0.3, 0.4), (60, groups)))
            trend = _tracked(((c == 0) | (c == 8)).mean(1), c.mean(1) / 8, groups)
            windows.append(bool(trend.low[0] <= truth <= trend.high[0]))
            elsewhere += [held(answer, float(degenerate_probability(population, g))) for g, answer in trend.elsewhere]
        yield row("window of a log", f"20 rows of {groups} groups of 8", windows)
        yield row("other group sizes from a log", f"20 rows of {groups} groups of 8", elsewhere)
    for differing in (0.025, 0.05):
        windows = []
        size = 0.5 * 0.5 / differing**2 - 1
        for _ in range(REPETITIONS["many"]):
            share = rng.binomial(64, rng.beta(0.5 * size, 0.5 * size, 60)) / 64
            trend = _tracked(share, np.full(60, 0.3), 64)
            windows.append(bool(trend.low[0] <= 0.5 <= trend.high[0]))
        yield row("window of a log", f"20 rows of 64 groups, rows differ by {differing:.1%}", windows)


def _tracked(share: np.ndarray, mean: np.ndarray, groups: int) -> Trend:
    steps = enumerate(zip(mean, share, strict=True))
    rows = [{"step": t, "reward": float(m), "frac_reward_zero_std": float(s), "loss": 0.0} for t, (m, s) in steps]
    return track(rows, 8, groups=groups)


def paired(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Two checkpoints whose pass rates go together: odds times exp(shift), and noise of their own."""
    for prompts in (60, 300):
        logits = rng.normal(-1, 1.5, 400_000)
        other = logits + 0.4 + rng.normal(0, 0.5, len(logits))
        a, b = (1 / (1 + np.exp(-x)) for x in (logits, other))
        truths = {
            "pass@1": float((b - a).mean()),
            "end point at 30": _end(b) - _end(a),
        }
        band_truth = {k: float((pass_at_k(Fixed(b), k) - pass_at_k(Fixed(a), k)).mean()) for k in (1, 2, 4, 8, 16)}
        ratio = float(pass_at_k(Fixed(b), 16).mean() / pass_at_k(Fixed(a), 16).mean())
        holds: dict[str, list[bool]] = {name: [] for name in (*truths, "pass@k, all k at once", "pass@16 ratio")}
        for _ in range(REPETITIONS["many"] // 2):
            which = rng.integers(len(a), size=prompts)
            first, second = (Recorded(rng.binomial(16, rates[which]), 16) for rates in (a, b))
            shares = [Score.of_mean(np.asarray(x.correct) / 16) for x in (second, first)]
            holds["pass@1"].append(held(score_difference(*shares), truths["pass@1"]))
            ends = [
                Score.of_population(x, lambda p: np.asarray(forecast(p, 8, GRPO, budget=30))) for x in (second, first)
            ]
            holds["end point at 30"].append(held(score_difference(*ends), truths["end point at 30"]))
            named = {
                name: {"prompt": range(prompts), "n": [16] * prompts, "c": np.asarray(x.correct).tolist()}
                for name, x in (("a", first), ("b", second))
            }
            found = compare(named, budgets=(1.0,))
            holds["pass@k, all k at once"].append(all(held(x[0], band_truth[k]) for k, x in found.gains))
            holds["pass@16 ratio"].append(held(found.coverage[0], ratio))
        for name, kept in holds.items():
            yield row(f"paired difference, {name}" if "ratio" not in name else name, f"{prompts} prompts x 16", kept)


def _end(rates: np.ndarray) -> float:
    """The end point as `compare` forecasts it: of the Beta with this mean and dispersion."""
    mean, variance = float(rates.mean()), float(rates.var())
    return float(forecast(Beta(mean, variance / mean / (1 - mean)), 8, GRPO, budget=30))


def moves(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """The first and the last third of a run over 120 prompts in turn."""
    for drift in (0.0, 0.2):
        holds = []
        for _ in range(REPETITIONS["many"]):
            rates = rng.beta(*_ab(0.3, 0.4), 120)
            labels = np.tile(np.arange(120), 3)
            third = np.repeat(np.arange(3), 120)
            now = np.clip(rates[labels] + drift * third / 2 * (1 - rates[labels]), 0, 1)
            share = rng.binomial(8, now) / 8
            found = part_difference(share, third == 0, third == 2, labels, level=0.99)
            holds.append(held(found, drift * 0.7))
        yield row("the policy moved", f"120 prompts, three visits of 8, pass@1 moves by {drift * 0.7:.2f}", holds, 0.99)


def fits(rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for prompts, n, mean, rho in ((100, 8, 0.3, 0.3), (100, 8, 0.1, 0.6), (300, 16, 0.02, 0.2)):
        rates, truth = beta(mean, rho), float(degenerate_probability(Beta(mean, rho), 8))
        holds = [
            held(
                beta_estimate(Recorded(rng.binomial(n, rates(rng, prompts)), n)).predict(degenerate_probability, 8),
                truth,
            )
            for _ in range(REPETITIONS["many"])
        ]
        yield row(
            "a fitted Beta's prediction, g = 8", f"{prompts} prompts x {n}, mean {mean:g}, dispersion {rho:g}", holds
        )


def _ab(mean: float, dispersion: float) -> tuple[float, float]:
    size = 1 / dispersion - 1
    return mean * size, (1 - mean) * size


def main() -> None:
    started, seed = time.perf_counter(), 0
    parts = (dispersions, pass_at, clusters, beyond, recorded, logs, paired, moves, fits)
    rows = []
    for part in parts:
        for found in part(np.random.default_rng(seed)):
            rows.append({"part": part.__name__, **found})
            sys.stdout.write(f"{found['held']:.3f}  {found['interval']:<34} {found['where']}\n")
            sys.stdout.flush()
    provenance = {
        "command": "make evidence-coverage",
        "seed": seed,
        "seconds": round(time.perf_counter() - started),
        "load": round(os.getloadavg()[1], 1),
        "cores": os.cpu_count(),
        "rlsignal": rlsignal.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    lines = ",\n".join(json.dumps(x) for x in rows)
    PLACE.write_text(f'{{"provenance": {json.dumps(provenance)},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
