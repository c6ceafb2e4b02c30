"""Pages that the library computes: `python docs/generate.py` writes them anew, and a test holds them to it.

Numbers in them are computed, never typed.
"""

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import betaincinv

from rlsignal import GRPO, Beta, Estimate, Estimator, Fixed, degenerate_probability, informative_probability, verify
from rlsignal.data.formats import FORMATS, Format
from rlsignal.data.names import SYNONYMS
from rlsignal.estimators import GRPO_NEMO, down_sampled, filtered
from rlsignal.inference.intervals import signed
from rlsignal.theory import degenerate_again_probability, screened, top_variance

DOCS = Path(__file__).parent

_IMPORTS = (
    "import numpy as np",
    "from rlsignal import *",
    "from rlsignal.estimators import *",
    "from rlsignal.theory import *",
    "from rlsignal.theory.rewards import standardise",
)
"""What the calls of docs/questions.md need."""


def claims() -> str:
    """docs/claims.md: every claim that `rlsignal verify` checks."""
    found = verify()
    head = f"""# Claims

What `rlsignal verify` checks: {len(found.checks)} claims, each against the mean over *every* possible group in rational
arithmetic (equal to 1e-12), and against {found.groups:,} drawn groups (within 5 standard errors), which must also reject
the nearest tempting mistake. The last column says by how many standard errors they can. Each label leads to its
derivation.

| claim | formula | where | value | tempting mistake | distance |
|---|---|---|---|---|---|
"""
    rows = [
        f"| [{check.label}](theory.md#{check.label}) {check.name} | {_cell(check.formula)} | {check.where} "
        f"| {check.exact:.6g} | {_cell(check.wrong_formula)} = {check.wrong:.6g} "
        f"| {abs(check.wrong - check.exact) / check.standard_error:.0f} s.e. |"
        for check in found.checks
    ]
    return head + "\n".join(rows) + "\n"


def coverage() -> str:
    """docs/coverage.md: how often intervals hold the truth, as simulated into docs/evidence/coverage.json."""
    found = json.loads((DOCS / "evidence" / "coverage.json").read_text(encoding="utf-8"))
    made, rows = found["provenance"], found["rows"]
    names = list(dict.fromkeys(row["statistic"] for row in rows))
    inside, beyond = ([row for row in rows if row["region"] is where] for where in (True, False))
    means, dispersions = (sorted({row[key] for row in inside}) for key in ("mean", "dispersion"))
    error = (made["nominal"] * (1 - made["nominal"]) / made["repetitions"]) ** 0.5

    by_statistic = [
        [name, *(_span(inside, kind, statistic=name) for kind in ("library", "student", "pooled"))] for name in names
    ]
    by_population = [
        [rho, *(_span(inside, "library", dispersion=rho, mean=mean) for mean in means)] for rho in dispersions
    ]
    outside = []
    for at in range(0, len(beyond), len(names)):
        here = beyond[at : at + len(names)]
        setting = [here[0][key] for key in ("prompts", "samples", "mean", "dispersion")]
        warned = min(row["warned"] for row in here)
        outside.append([*setting, *(f"{row['library']:.3f}" for row in here), f"{warned:.0%}"])

    return f"""# Coverage

How often a {made["nominal"]:.0%} interval of `group_estimate` ([I3](theory.md#I3)) holds the truth, in
{made["repetitions"]:,} simulated evaluations a row, which leaves a standard error of {error:.4f}.
`{made["command"]}` simulated them in {made["seconds"]} s{_load(made)} with seed {made["seed"]} (rlsignal
{made["rlsignal"]}, numpy {made["numpy"]}, scipy {made["scipy"]}, Python {made["python"]}, {made["machine"]}), and keeps the
rows in [evidence/coverage.json](evidence/coverage.json).

## The region

{inside[0]["prompts"]} prompts of a Beta population, {inside[0]["samples"]} samples each, means in
[{means[0]}, {means[-1]}], dispersions in [{dispersions[0]}, {dispersions[-1]}]. The library's intervals hold in
**{_span(inside, "library")}** of the evaluations. Lowest and highest of {len(means) * len(dispersions)} populations:

{_table(["statistic", "library", "Student's, over prompts", "binomial, all rollouts in one pot"], by_statistic)}

The last kind plugs the ends of the pooled pass rate's interval into the formula of one prompt, as if all prompts were
alike. It is wrong twice: rollouts of a prompt are not independent, and the mean is not all that a statistic hangs on.
Student's fails where few prompts carry the value, just when it has missed them.

Lowest and highest of the {len(names)} statistics, by dispersion and mean:

{_table(["dispersion", *(f"mean {mean}" for mean in means)], by_population)}

## Beyond it

Nothing is claimed there, and `Estimate.warning` says so. The last column is how often it did, at the statistic for
which it did least. Mean and dispersion are judged as they are measured, so near the edge some evaluations from outside
look as if from inside, and the other way round. More prompts and other numbers of samples are no ground for a warning.

{_table(["prompts", "samples", "mean", "dispersion", *names, "warned"], outside)}

{_intervals()}"""


def _load(made: dict[str, Any]) -> str:
    """What else the machine was doing."""
    return f" at a load of {made['load']:.0f} on {made['cores']} cores," if "load" in made else ""


def _intervals() -> str:
    """The rest of docs/coverage.md: all other intervals, as simulated into docs/evidence/intervals.json."""
    found = _evidence("intervals")
    made, rows = found["provenance"], found["rows"]

    def plain(*parts: str) -> str:
        cells = [
            [x["interval"], x["where"], f"{x['nominal']:.0%}", f"{x['held']:.3f}", x["draws"]]
            for x in rows
            if x["part"] in parts
        ]
        return _table(["interval", "where", "level", "held", "draws"], cells)

    def beyond(part: str) -> str:
        cells = [
            [
                x["where"],
                x["interval"].rpartition(" ")[2],
                f"{x['times']:g}",
                f"{x['held']:.2f}",
                f"{x['width']:.2f}",
                *(f"{x[name]:.{digits}f}" if name in x else "-" for name, digits in shown),
            ]
            for x in rows
            if x["part"] == part
        ]
        own = ["Beta's interval held", "Beta's error", "anchored fit's error"]
        return _table(["population and samples", "g", "over n", "held", "width", *own], cells)

    shown = (("beta_held", 2), ("beta_error", 3), ("anchored_error", 3))
    errors = [x for x in rows if "anchored_error" in x]
    ratios = [x["anchored_error"] / x["beta_error"] for x in errors]
    public = [x["held"] for x in rows if x["part"] == "recorded"]
    return f"""## Every other interval

`{made["command"]}` simulated them in {made["seconds"]} s{_load(made)} with seed {made["seed"]} (rlsignal
{made["rlsignal"]}, numpy {made["numpy"]}, Python {made["python"]}, {made["machine"]}), and keeps the rows in
[evidence/intervals.json](evidence/intervals.json). 400 draws leave a standard error of 0.011, 100 of 0.022.

{plain("dispersions", "pass_at", "clusters", "logs", "paired", "moves", "fits")}

*Other group sizes from a log* and *a fitted Beta's prediction* hold where the population is a Beta, as here. *End point*: of
the forecast from mean and dispersion, as `compare` decides by it. Rates per GPU hour, costs of dynamic sampling and
numbers of informative groups are multiples of the shares above.

## Beyond the samples

The share of degenerate groups of g from n < g samples. *Held* and *width* are of the printed interval, which is that of the
bounds ([I8](theory.md#I8)) and no narrower than as many prompts leave it within the samples; next to it, the interval that
the fitted Beta would have by itself. Errors are root mean squares, of the Beta's value and of the anchored fit's ([I11](theory.md#I11)),
which is printed up to four times the samples.

{beyond("beyond")}

## Recorded counts, thinned

Public evaluations as populations: 200 prompts drawn from theirs, n samples of each drawn from its own, so that the share
at g up to all of their samples is known. The printed interval held in {min(public):.2f} to {max(public):.2f}. In the {len(errors)} rows of
this table and the last with both values, the anchored fit's error is {min(ratios):.2f} to {max(ratios):.2f} times the Beta's.

{beyond("recorded")}
"""


def decisions() -> str:
    """docs/decisions.md: how often verdicts are right, as simulated into docs/evidence/decisions.json."""
    found = json.loads((DOCS / "evidence" / "decisions.json").read_text(encoding="utf-8"))
    made = found["provenance"]
    parts = []
    for question, of in (
        (
            "compare",
            "`compare`: a verdict is wrong where another checkpoint ends higher by more than 0.02 at some budget, where "
            'a tie hides such a difference, or where the budget does not decide. "Sample more" withholds it.',
        ),
        (
            "group-size",
            "`recommend_group_size`: advice is wrong where the best size is outside of its range, or where its own "
            "size has less than 0.85 of the best score. Refused data withholds it.",
        ),
        (
            "track",
            "`track`: a warning is wrong where the run never passes 90% degenerate groups; a run that does and is not "
            "warned of is withheld.",
        ),
    ):
        rows = [row for row in found["rows"] if row["question"] == question]
        table = []
        for x in rows:
            drawn = x["right"] + x["wrong"] + x["withheld"]
            table.append(
                [x["situation"], *(f"{x[kind] / drawn:.0%}" for kind in ("right", "wrong", "withheld")), drawn]
            )
        spoken = sum(x["right"] + x["wrong"] for x in rows)
        wrong = sum(x["wrong"] for x in rows)
        took = made["questions"].get(question)
        how = f" ({took['seconds']} s at a load of {took['load']:.0f} on {made['cores']} cores)" if took else ""
        parts.append(
            f"## {question}\n\n{of}\n\n{_table(['situation', 'right', 'wrong', 'withheld', 'draws'], table)}\n\n"
            f"Of all {spoken:,} verdicts that were given, {wrong / spoken:.1%} are wrong{how}.\n"
        )
    return f"""# Decisions

How often the verdicts of [diagnosis](diagnosis.md) are right, in situations whose truth is known. `{made["command"]}` drew
them with seed {made["seed"]} (rlsignal {made["rlsignal"]}, numpy {made["numpy"]}, Python {made["python"]}, {made["machine"]}), and
keeps the counts in [evidence/decisions.json](evidence/decisions.json). 5% wrong is the aim in every situation; of 40 draws it
has a standard error of 3.4 points, of 100 one of 2.2, of 400 one of 1.1.

{chr(10).join(parts)}"""


def predictors() -> str:
    """docs/predictors.md: what could be known before RL, scored by how it ranks checkpoints."""
    found = _evidence("predictors")
    made = found["provenance"]

    def cells(score: dict[str, Any], outcome: str) -> list[str]:
        return [
            _signed(score["correlation"][outcome], 2),
            f"{score['loss'][outcome]['estimate']:.3f}",
            f"{score['mistaken'][outcome]:.0%}",
        ]

    rows = [[score["name"], *cells(score, "trained"), *cells(score, "fresh")] for score in found["scores"]]
    head = ["known", "trained: rank correlation", "loss", "mistaken", "fresh: rank correlation", "loss", "mistaken"]
    partial = {
        name: ", ".join(
            f"{_signed(x, 2)} ({outcome})" for outcome, x in found[name].items() if outcome in ("trained", "fresh")
        )
        for name in ("entropy_given_informative", "informative_given_entropy")
    }
    outcomes = {
        "trained": "trained pass@1",
        "trained pass@k": "trained pass@10",
        "fresh pass@1": "fresh pass@1",
        "fresh": "fresh peak pass@10",
    }
    known = {score["name"]: score["correlation"] for score in found["scores"]}
    number, speed = "alignment number", "first speed of pass@1"
    names = ["informative", "pass@1", *(x + y for x in (number, speed) for y in ("", ", fresh prompts"))]
    first_order = [[name, *(_signed(known[name][x], 2) for x in outcomes)] for name in names]
    left = {
        f"{number}, given the informative fraction": "alignment_given_informative",
        f"{number}, given that and pass@1": "alignment_given_pass_rates",
        f"{speed}, given the informative fraction": "speed_given_informative",
        f"{speed}, given that and pass@1": "speed_given_pass_rates",
    }
    beyond = [[name, *(_signed(_as_correlation(found[x][y]), 2) for y in outcomes)] for name, x in left.items()]
    by_name = {score["name"]: score for score in found["scores"]}

    def value(name: str, outcome: str) -> str:
        return f"{known[name][outcome]['estimate']:+.2f}"

    def loss(name: str) -> str:
        return f"{by_name[name]['loss']['trained']['estimate']:.3f}"

    def mistaken(name: str) -> str:
        return f"{by_name[name]['mistaken']['trained']:.0%}"

    others = _evidence("other_trainers")["trainers"]
    columns = list(outcomes)[::3]
    under = [
        [x["trainer"], outcomes[outcome], *(_signed(y["correlation"][outcome], 2) for y in x["scores"])]
        for x in others
        for outcome in columns
    ]
    ahead = {
        outcome: ", ".join(f"{_signed(x['speed_given_pass_rates'][outcome], 2)} ({x['trainer']})" for x in others)
        for outcome in columns
    }
    larger = _evidence("larger_groups")
    small, large = larger["trained"]
    named = {"GRPO, g = 8": small, "GRPO, g = 64": large, **{x["trainer"]: x for x in others}}
    givens = "entropy_given_informative", "entropy_given_larger"
    of_entropy = [
        [name, *(_signed(x[given][outcome], 2) for given in givens for outcome in columns)] for name, x in named.items()
    ]
    seeming, left = (sum(x[given]["fresh"]["low"] > 0 for x in named.values()) for given in givens)
    against = sum(x[givens[1]]["fresh"]["high"] < 0 for x in named.values())
    elsewhere = ", ".join(f"{_signed(x[givens[0]]['fresh'], 2)} ({x['trainer']})" for x in others)
    by_size = [
        [f"g = {of['group_size']}", outcomes[outcome], *(_signed(x["correlation"][outcome], 2) for x in of["scores"])]
        for of in (small, large)
        for outcome in columns
    ]
    mistakes = {
        of["group_size"]: {x["name"]: f"{x['mistaken']['trained']:.0%}" for x in of["scores"]}
        for of in larger["trained"]
    }
    depths = [[x["name"], *(f"{y:.2f}" for y in x["by_depth"])] for x in small["scores"][2:]]
    depths += [
        [f"{outcomes[name]}, trained in groups of {of['group_size']}", *(f"{y:.2f}" for y in of["after"][name])]
        for of in (small, large)
        for name in columns
    ]
    ends = small["after"]["trained"]
    at_64 = {x["name"]: x["by_depth"] for x in small["scores"]}["informative, g = 64"]
    given = [_signed(large[name]["fresh"], 2) for name in ("entropy_given_informative", "entropy_given_larger")]
    return f"""# What predicts which checkpoint to start from?

{found["ladders"]} random ladders, of six SFT depths each: an untrained policy, and fine-tuning for up to 3000 steps. Tasks
(one correct answer of 256, one of 64, four of 256), label noise (0 to 50%), the number of different demonstrations (32 to
1024), and the learning rates of both stages are drawn at random. GRPO runs from every checkpoint. A predictor ranks the
checkpoints before that, by exact pass rates on the prompts that RL trains on, or by {found["samples"]} samples of each.

`{made["command"]}` made this in {made["seconds"]} s ({made["device"]}, jax {made["versions"]["jax"]}), under other load; its figures are in
[evidence/predictors.json](evidence/predictors.json). Another {found["tuning"]} ladders set the time scale of the forecast
({found["time_scale"]:g}, learning rate times steps) and nothing else. {found["failed"]} ladders had a run that diverged.

{_table(head, rows)}

*Trained*: pass@1 after RL on the prompts it trained on. *Fresh*: the peak of pass@10 on prompts that neither stage saw.
*Rank correlation*: Spearman's rho within a ladder, mean over ladders with its 95% interval. *Loss*: how far below the best
checkpoint the one ends that the predictor would choose. *Mistaken*: ladders in which that is more than 0.02. "The paper's rule" is
modelled on the two stages of arXiv 2606.18487, whose thresholds (0.18 nats per token, half of the entropy lost early)
come from two models and are not validated by it: unflagged checkpoints first, deeper ones ahead; the entropy that its second
stage looks at is the mean over tokens here, and that stage needs 150 steps of RL.

## What it says

- **Order turns often.** The checkpoint with the best pass@1 before RL ends more than 0.02 below another in
  {found["inverted"]["trained"]:.0%} (trained) and {found["inverted"]["fresh"]:.0%} (fresh) of the ladders. That share
  belongs to these ladders, which reach far into over-training, and to no others.
- **The best that an evaluation shows is pass@10**, under GRPO in groups of 8 ([other trainers](#under-other-trainers)), with the informative fraction and the forecast close behind. All three ask
  how many prompts are within reach, and 16 samples of each prompt serve nearly as well as the exact pass rates.
- **Depth, pass@1 and the paper's rule are alike**: they find that some fine-tuning is better than none, and little else.
- **Under plain GRPO entropy adds nothing to the informative fraction of the groups that train that would favour more of it.** Ranking by entropy starts from the
  checkpoint that learned least. Once the informative fraction is known, the partial rank correlation of entropy with the outcome
  is {partial["entropy_given_informative"]}: nothing on fresh prompts, and *less* entropy is better on trained ones. The
  other way round it is {partial["informative_given_entropy"]}. **Under other trainers it seems otherwise on
  fresh prompts**: {elsewhere}. Most of that goes, or turns, once the informative fraction of groups of 64 is known
  ([below](#under-other-trainers)). A correlation is no cause: at equal pass rates entropy has [no sign of its own](what-decides.md).
- **A short run of RL is no oracle.** Pass@1 after 100 of 600 steps, which costs a sixth of the runs that it would save,
  ranks no better than what the same prompts' samples say before.
- **Where they fail.** These three are better about fresh pass@k than about what RL makes of its own prompts, where the speed of
  learning counts too: with RL rates below the median the informative fraction's correlation is
  {found["by_rate"][0]:+.2f}, above it {found["by_rate"][1]:+.2f}.

## The alignment number of real checkpoints

The [alignment number](what-decides.md) was made for starts of equal pass rates: how fast the log-odds of the prompts that 10 samples
leave unsolved would move at first. The same derivative with weight p(1-p) is the *first speed of pass@1*. Both are known before RL, from the
policy and its derivative rather than from an evaluation. Rank correlation within a ladder:

{_table(["known", *outcomes.values()], first_order)}

What they know beyond the pass rates, as partial rank correlations:

{_table(["", *outcomes.values()], beyond)}

- **The alignment number does not choose a checkpoint.** It ranks nearly as depth does ({value(number, "trained")} on trained pass@1,
  {value(number, "fresh")} on fresh peak pass@10; depth {value("SFT depth", "trained")} and {value("SFT depth", "fresh")}). Once the informative fraction
  and pass@1 are known it knows a little more, {beyond[1][1]} and {beyond[1][4]}. It says which errors do harm
  where pass rates are equal, and between real checkpoints pass rates come first.
- **The first speed of pass@1 is worth more.** Given both pass-rate numbers its partial correlation is {beyond[3][1]} and
  {beyond[3][4]}. On prompts that RL does not train on, where it is transfer alone, it chooses for trained pass@1 as well as pass@10
  does: loss {loss(f"{speed}, fresh prompts")}, mistaken in {mistaken(f"{speed}, fresh prompts")} of the ladders, against {loss("pass@10")} and
  {mistaken("pass@10")}. For fresh peak pass@10 the pass rates themselves stay the better guide ({value(f"{speed}, fresh prompts", "fresh")} against
  {value("pass@10", "fresh")}).
- **Where they stop.** They are of the first step, under plain ascent, where the runs were 600 steps of AdamW; and no evaluation has them: they take
  a gradient of the policy.

## Under other trainers

Rank correlations over {others[0]["ladders"]} ladders under each trainer ([evidence/other_trainers.json](evidence/other_trainers.json)); the numbers before RL are those of
plain GRPO:

{_table(["trainer", "outcome", *(y["name"] for y in others[0]["scores"])], under)}

Entropy's partial rank correlation with the outcome once the informative fraction is known, that of groups of 8 or that of groups of 64
(plain GRPO: the ladders of the next section):

{_table(["trainer", *(f"{outcomes[x]}, given that of groups of {g}" for g in (8, 64) for x in columns)], of_entropy)}

Of fresh prompts entropy seems to know something in {seeming} of {len(named)} rows given the fraction of groups of 8; given that of groups of 64, in {left}, while in {against} less entropy is the better sign.
That is consistent with prompts that are solved rarely, whose successes a group of 64 meets and one of 8 hardly. To measure that fraction
takes 64 samples of a prompt.

What the first speed of pass@1 knows beyond the informative fraction and pass@1, for trained pass@1: {ahead["trained"]}. For fresh peak
pass@10: {ahead["fresh"]}, so there it was a matter of plain GRPO.

## Larger groups

{small["ladders"]} of such ladders, each trained in groups of 8 and in groups of 64 ([evidence/larger_groups.json](evidence/larger_groups.json);
`{larger["provenance"]["command"]}`, {larger["provenance"]["seconds"]} s under other load). *Informative* is that of groups of 8, whichever way RL runs:

{_table(["trained in groups of", "outcome", *(x["name"] for x in small["scores"])], by_size)}

- **For trained pass@1 the informative fraction of groups of 64 is the worse guide**, also after training in such groups: choosing by it is a mistake in
  {mistakes[8]["informative, g = 64"]} (g = 8) and {mistakes[64]["informative, g = 64"]} (g = 64) of the ladders, by pass@10, which holds, in {mistakes[8]["pass@10"]} and {mistakes[64]["pass@10"]}. It is not at its ceiling (at most {max(at_64):.2f}
  on average), but a prompt that is solved once in 64 rollouts has {informative_probability(1 / 64, 64):.0%} informative groups of 64, and takes long to learn: the untrained
  policies have {at_64[0]:.2f} of such groups and the deepest checkpoints {at_64[-1]:.2f}, and they end at {ends[0]:.2f} and {ends[-1]:.2f} (g = 8).
- **For fresh peak pass@10 after training in groups of 64 it is as good as pass@10**, and entropy adds nothing to it: its partial
  correlation is {given[1]} given that fraction, where it is {given[0]} given the fraction of groups of 8, which do not train.

Means over these ladders at each checkpoint, before RL and after:

{_table(["SFT depth", *map(str, larger["depths"])], depths)}

## What it does not say

Small networks, binary rewards, at most 256 responses, one seed for each ladder. Real ladders differ in all of these; what
carries over, if anything, is the question to ask: how many prompts does this checkpoint solve at least now and then?
"""


def ladder() -> str:
    """docs/ladder.md: over-training in networks, its cause, and the paper's findings answered for the toy."""
    found, other, swapped, matched = (_evidence(name) for name in ("ladder", "others", "swap", "matched_starts"))
    mitigated = {row["name"]: row for row in _evidence("mitigations")["mitigated"]}
    inverting, safe = found["ladders"]
    sequences, many, modular = other["ladders"]
    slow, fast = _evidence("linear")["ladders"]
    at = inverting["depths"].index(inverting["optimum"])

    def readings(of: dict[str, Any]) -> list[list[Any]]:
        rows = []
        for x in (x for x in of["readings"] if x["outcome"] == "fresh peak pass@k"):
            strong = sum(rho is not None and rho <= -0.8 for rho in x["spearman"])
            rate = "best of each checkpoint" if x["rate"] is None else f"{x['rate']:g}"
            drop = f"{x['drop']:.3f} ({x['drop_error']:.3f})"
            rows.append([rate, *(f"{y:.3f}" for y in x["after"]), x["optimum"], drop, f"{strong} of {of['seeds']}"])
        return rows

    def ends(of: dict[str, Any], name: str, when: str) -> list[str]:
        return [f"{x:.3f}" for x in of[name][when]]

    def table(of: dict[str, Any]) -> str:
        rows = [
            ["before: fresh pass@1", *ends(of, "fresh_pass_at_1", "before")],
            [f"before: fresh pass@{of['k']}", *ends(of, "fresh_pass_at_k", "before")],
            ["before: nats per token", *ends(of, "token_entropy", "before")],
            ["before: dispersion", *ends(of, "dispersion", "before")],
            ["before: informative groups", *ends(of, "informative", "before")],
            [f"after: fresh peak pass@{of['k']}", *(f"{x:.3f}" for x in of["after"])],
            ["after: fresh pass@1", *ends(of, "fresh_pass_at_1", "after")],
            ["step of the peak", *(f"{x:.0f}" for x in of["peak_step"])],
        ]
        return _table(["SFT depth", *map(str, of["depths"])], rows)

    def drop(of: dict[str, Any]) -> str:
        x = next(x for x in of["readings"] if x["outcome"] == "fresh peak pass@k" and x["rate"] is None)
        return f"{x['drop']:.3f} (s.e. {x['drop_error']:.3f}) from depth {x['optimum']} to {of['depths'][-1]}"

    def range_of(of: dict[str, Any], when: str) -> float:
        values = of["fresh_pass_at_1"][when][at:]
        return max(values) - min(values)

    def ratio(when: str) -> float:
        return inverting["token_entropy"][when][at] / inverting["token_entropy"][when][-1]

    recovered, reproduced = (swapped["shares"]["fresh peak pass@k"][x] for x in ("recovered", "reproduced"))
    entropies, dispersions = (
        [x for x in matched["starts"] if x["varied"] == name] for name in ("entropy", "dispersion")
    )
    smoothing, kl = mitigated["label smoothing 0.2 in SFT"], mitigated["KL to the start, 0.01"]
    shown = _evidence("path")
    path_rows = [
        *(
            [f"map over {name}, {steps} steps", *(f"{x:.2f}" for x in values)]
            for name, by_budget in shown["on_map"].items()
            for steps, values in zip(shown["steps"], by_budget, strict=True)
        ),
        ["dispersion: checkpoints", *(f"{x:.2f}" for x in shown["path"]["dispersion"])],
        ["dispersion: family of the first face", *(f"{x:.2f}" for x in shown["family_dispersion"])],
        ["fresh peak pass@10, best rate", *(f"{x:.2f}" for x in shown["path"]["after"])],
    ]
    copies = {case["name"]: case for case in _evidence("what_decides")["cases"]}["two tokens, network"]
    swaps = [_signed(x["over_copy"][2]) for x in copies["starts"] if "other" in x["start"]]
    head = ["RL rate", *map(str, inverting["depths"]), "best checkpoint", "drop to the deepest (s.e.)", "rho <= -0.8"]
    return f"""# Over-training in networks

The map's policies are tables. Here a network is fine-tuned for longer and longer on demonstrations, and GRPO runs from
every checkpoint, on prompts that SFT did not see. `rlsignal ladder` makes a ladder of this kind in a minute; the figures
below are from `make evidence` ({found["provenance"]["device"]}, jax {found["provenance"]["versions"]["jax"]}; JSON in
`docs/evidence/`).

**The task**: x in R^16; an answer of two tokens, 16 choices each, given by a random teacher network. **The policy**: two
layers of 256. **SFT**: 256 demonstrations, 30% of their tokens incorrect. **RL**: AdamW, g = 8, 64 prompts a step, 1000 steps,
on 512 other prompts; 512 more that neither stage saw are *fresh*.

## The ladder inverts

{table(inverting)}

Means over {inverting["seeds"]} seeds, at RL rate {inverting["rate_shown"]:g} where "after" is not of the best rate. Right of
the best checkpoint pass@1 before RL rises with depth and peak pass@10 after it falls, at every RL rate:

{_table(head, readings(inverting))}

The last column counts seeds whose rank correlation of pass@1 before with the outcome, from the best checkpoint on, is at most
-0.8. Pass@1 after RL shows the same with smaller differences.

**The path on the map.** Where do these checkpoints lie on the [inversion map](inversion.md)? Above the
path of the ladder on the two faces of a map with the ladder's sizes, 256 responses of which one is correct; below what
that map says of each checkpoint, and what came.

![The ladder's checkpoints on the planes of pass@1 with entropy and with dispersion, and what the map says of each](ladder-path.png)

{_table(["", *map(str, inverting["depths"])], path_rows)}

From depth {inverting["depths"][at]} on the path crosses the contours downhill on both faces and at both budgets, and there the ladder
inverts. Neither face is the better one for that: along this path entropy falls as dispersion rises, nearly as in the sharpening
family. Left of the best checkpoint the budget decides: {shown["steps"][0]} steps of the map reach the untrained policy's pass rates,
{shown["steps"][1]} do not, and the ladder's runs behave like the short ones, if with the best start at depth {inverting["depths"][at]} and not at
{inverting["depths"][max(range(len(inverting["depths"])), key=lambda i: shown["on_map"]["dispersion"][1][i])]}. The map is of tables and shows pass@1 on trained prompts: transfer between prompts
and AdamW's time scale are left out, so levels are not to be compared, only where the path goes up and down.
`python -m experiments.evidence path` made the map ({shown["draws"]} draws of {shown["prompts"]} prompts, mean field).

**The safe control**, 4096 demonstrations without noise:

{table(safe)}

Its pass@1 does *not* invert: the deepest checkpoint ends highest. Its pass@10 does, and already before RL: here GRPO never
raises pass@10 on fresh prompts above where it started (the step of the peak is 0), so the two must be shown side by side.

**Other tasks**, best rates: a gated recurrent unit that writes sequences of up to 4 tokens (exact metrics over all of them;
entropy per token as the paper measures it) loses {drop(sequences)}; four correct answers of different rarity lose
{drop(many)}.

**A linear policy**, without hidden layers, hardly over-trains on the inverting task (RL rates 0.001 and 0.01, {slow["seeds"]} seeds;
[evidence/linear.json](evidence/linear.json)). At the ladder's SFT rate fresh peak pass@{slow["k"]} rises to the last depth, from {slow["after"][0]:.3f} to
{slow["after"][-1]:.3f}; at ten times that rate it loses {drop(fast)}, where the network loses {inverting["after"][at] - inverting["after"][-1]:.3f}.

**The trap**: modular addition. SFT transfers nothing to pairs that it has not seen, so pass@1 before RL *falls* with depth,
the untrained network is the best start or nearly so, and what GRPO learns does not transfer either. It looks like a
dramatic ladder and says nothing about over-training; depth 0 and fresh prompts give it away.

{table(modular)}

## Cause and confounder

**The swap.** Scale the deep checkpoint's logits to the shallow one's entropy: {recovered[0]:.0%} (s.e. {recovered[1]:.0%})
of the gap in peak pass@10 comes back. Sharpen the shallow one to the deep one's entropy: {reproduced[0]:.0%} (s.e.
{reproduced[1]:.0%}) of the gap appears. But scaling logits moves dispersion as well, from
{swapped["dispersion"][2]:.2f} to {swapped["dispersion"][3]:.2f}, and the share of informative groups from
{swapped["informative"][2]:.2f} to {swapped["informative"][3]:.2f}. So the swap cannot show which of them did it.

**Matched starts** can. Networks are distilled from policies of chosen pass rates and chosen entropy, alike in all else, and GRPO runs
from each ({matched["seeds"]} seeds, {matched["steps"]} steps):

{_table(["varied", "nats", "dispersion", "pass@1 before", "pass@1 after (s.e.)", "fresh peak pass@10"], [[x["varied"], f"{x['entropy']:.2f}", f"{x['dispersion']:.2f}", f"{x['pass_at_1']:.3f}", f"{x['after']:.3f} ({x['error']:.3f})", f"{x['fresh_peak']:.3f}"] for x in (*entropies, *dispersions)])}

{entropies[-1]["entropy"] - entropies[0]["entropy"]:.1f} nats more at the same pass rates: {_signed(matched["effects"]["entropy"])},
a little *lower* on the trained prompts. Dispersion from {dispersions[0]["dispersion"]:.2f} to
{dispersions[-1]["dispersion"]:.2f} at the same pass@1 and entropy: {_signed(matched["effects"]["dispersion"])}. The last
column is no control: fresh prompts were not imitated, and their pass rates are what the network makes of them.

These are chosen policies, not checkpoints. [What decides](what-decides.md) copies the checkpoints themselves, on trained and fresh
prompts: with the deep one's pass rates the shallow copy's pass@1 after RL moves by {swaps[0]}, with the shallow one's the deep
copy's by {swaps[1]}, where the deep copy differs from the shallow one by {_signed(copies["gap"][2])} (two tokens, smaller networks). At equal pass rates it then matters which incorrect answers carry the mass.

## The paper's five findings, for this toy

| arXiv 2606.18487 reports | here | figures |
|---|---|---|
| inversion on the ladder | **reproduced** | peak pass@10 falls by {drop(inverting)} while pass@1 before rises from {inverting["before"][at]:.3f} to {inverting["before"][-1]:.3f} |
| compression where every checkpoint is far above the threshold | **reproduced** | safe control, depth {inverting["depths"][at]} on: the range of pass@1 over the checkpoints is {range_of(safe, "before"):.3f} before RL and {range_of(safe, "after"):.3f} after |
| GRPO amplifies the entropy gap | **reversed** | nats per token of depth {inverting["depths"][at]} over depth {inverting["depths"][-1]}: {ratio("before"):.1f} before RL, {ratio("after"):.1f} after; all checkpoints end low |
| the peak comes earlier from deeper checkpoints | **reversed** | step of the peak: {inverting["peak_step"][at]:.0f} at depth {inverting["depths"][at]}, {inverting["peak_step"][-1]:.0f} at {inverting["depths"][-1]} |
| KL and label smoothing do not help | **half** | KL of 0.01 does not ({_signed(kl["gain"][0])}); label smoothing of 0.2 in SFT does ({_signed(smoothing["gain"][0])}, {smoothing["share"][0]:.0%} of the gap), but its checkpoint has pass@1 {smoothing["before"]:.3f} before RL and no longer looks the better one |

*Other reports.* That the better checkpoint before RL may be the worse one after it is reported of language models by others
too: with stronger SFT checkpoints ([2602.01058](https://arxiv.org/abs/2602.01058)); with high SFT scores, where pass@k at large
k predicts better ([2510.01624](https://arxiv.org/abs/2510.01624)), as it does [here](predictors.md); and SFT that leaves RL less to
explore is what [2601.09233](https://arxiv.org/abs/2601.09233) sets out from. None of them separates causes as the controls here do.

## Which claim fails when

| claim | holds | fails |
|---|---|---|
| more pass@1 before RL means more after | left of the best checkpoint; for pass@1 in the safe control | right of it, with noisy or few demonstrations |
| less entropy means worse RL | right of the best checkpoint, where entropy is confounded with dispersion | left of it: the untrained network has the most entropy and learns least; between starts of equal pass rates, where it goes [either way](what-decides.md) |
| pass rates alone decide | between checkpoints of the same ladder | where incorrect answers differ: permuted, at the same pass rates and entropy, they move the outcome as much ([what decides](what-decides.md)) |
| a mean pass rate above p* is safe | for prompts that are alike | whenever prompts differ ([D4](theory.md#D4)) |
| the informative fraction finds the best checkpoint | nearly, for pass@k on fresh prompts ([predictors](predictors.md)) | less well for the trained prompts, where speed counts too |
| tempering shows that entropy is the cause | never by itself | it moves dispersion along |
| pass@1 and pass@k agree | in the inverting ladder | in the safe control they disagree |

## What this does not show

Toy policies with at most 1296 responses, binary rewards, one architecture each, sampling at temperature 1. No claim about any
language model is made: what carries over is a hypothesis, that checkpoints are worse starts when fewer of their prompts are
within reach, and a cheap test of it: pass@k at large k, or the informative fraction, before RL.
"""


def what_decides() -> str:
    """docs/what-decides.md: copies of checkpoints, changed in one respect."""
    found = _evidence("what_decides")
    made, cases, seeds, (shallow, deep) = found["provenance"], found["cases"], found["seeds"], found["depths"]
    _, one, two = cases
    k = found["k"]
    starts = {case["name"]: {(x["start"], x["deep"]): x for x in case["starts"]} for case in cases}
    names = list(dict.fromkeys(start for case in cases for start, _ in starts[case["name"]]))
    words = "itself", "copy", "other", "permuted", "even"
    itself, copy, swapped, permuted, even = (next(x for x in names if word in x) for word in words)

    def over(case: dict[str, Any], start: str, is_deep: bool, outcome: int = 0) -> str:
        return _signed(starts[case["name"]][start, is_deep]["over_copy"][outcome])

    def table(case: dict[str, Any]) -> str:
        rows = []
        for is_deep, depth in ((False, shallow), (True, deep)):
            for start in names:
                x = starts[case["name"]].get((start, is_deep))
                if x:
                    first = [f"{x[key]:.3f}" for key in ("pass_at_1", "fresh_pass_at_k")]
                    shape = [f"{x['entropy']:.2f}", f"{x['dispersion']:.2f}", f"{x['alignment'][0]:+.3g}"]
                    effect = "" if start == copy else _signed(x["over_copy"][0])
                    after = [f"{x['after'][0]:.3f}", effect, f"{x['after'][2]:.3f}"]
                    rows.append([f"{depth}: {start}", *first, *shape, *after])
        before = ["pass@1", f"fresh pass@{k}", "nats", "dispersion", "alignment number"]
        return _table(["start", *before, f"after: fresh peak pass@{k}", "over the copy", "trained pass@1"], rows)

    def each(key: str, outcome: int = 0, digits: int = 3) -> list[list[str]]:
        return [[_signed(x, digits) for x in case[key][outcome]] for case in cases]

    miss = max(x["miss"] for case in (one, two) for x in case["starts"])
    drift = [
        max(abs(starts[c["name"]][itself, d]["over_copy"][i]["estimate"]) for c in (one, two) for d in (False, True))
        for i in (0, 2)
    ]
    swaps = {
        i: [
            [case["name"], _signed(case["gap"][i]), over(case, swapped, False, i), over(case, swapped, True, i), *left]
            for case, left in zip(cases, each("left", i), strict=True)
        ]
        for i in (2, 0)
    }
    swap_head = [
        "",
        "deep copy less shallow copy",
        f"{shallow} with the pass rates of {deep}",
        f"{deep} with the pass rates of {shallow}",
        f"at the pass rates of {shallow}: shallow less deep",
        f"at the pass rates of {deep}: deep less shallow",
    ]
    shapes = [
        [case["name"], depth, *(over(case, start, is_deep) for start in (permuted, even)), pair[is_deep]]
        for case, pair in zip(cases, each("one_or_nearest"), strict=True)
        for is_deep, depth in ((False, shallow), (True, deep))
    ]
    ranks = [
        [
            case["name"],
            depth,
            *(
                _signed(_as_correlation(case[key][outcome][is_deep]), 2)
                for outcome in (0, 1)
                for key in ("rank_of_alignment", "rank_of_entropy")
            ),
        ]
        for case in cases
        for is_deep, depth in ((False, shallow), (True, deep))
    ]
    (one_copy, deep_copy), (one_even, deep_even) = (
        [starts[one["name"]][x, is_deep] for is_deep in (False, True)] for x in (copy, even)
    )
    before = [x[key] for key in ("pass_at_1", "fresh_pass_at_k") for x in (one_copy, deep_copy)]
    near, near_trained = (
        [x["over_copy"][i] for case in cases for x in case["starts"] if "nearest" in x["start"]] for i in (0, 2)
    )
    apart = [x["sampled"]["effect"] for x in _evidence("entropy_inside")["starts"]]
    least, most = (pick(apart, key=lambda x: x["estimate"]) for pick in (max, min))
    higher = sum(x["low"] > 0 for x in near_trained)
    trained = [x["estimate"] for x in near_trained]
    numbers = [[starts[case["name"]][copy, is_deep]["alignment"][0] for is_deep in (False, True)] for case in cases]
    lower = sum(first < second for first, second in numbers)
    at_zero = sum(x["low"] < 0 < x["high"] for x in near)
    elsewhere, ladders = _evidence("what_decides_elsewhere"), _evidence("predictors")
    (ranked,) = (x["correlation"] for x in ladders["scores"] if x["name"] == "alignment number")

    def moved(case: dict[str, Any], outcome: int) -> list[dict[str, float]]:
        """Deep copy less shallow one; the swap of either; permuted masses of either."""
        of = {(x["start"], x["deep"]): x["over_copy"][outcome] for x in case["starts"]}
        return [
            case["gap"][outcome],
            *(of[start, is_deep] for start in (swapped, permuted) for is_deep in (False, True)),
        ]

    def elsewhere_table(outcome: int) -> str:
        named = [", ".join(filter(None, (case["name"], case["trainer"]))) for case in elsewhere["cases"]]
        rows = [
            [name, *map(_signed, moved(case, outcome))] for name, case in zip(named, elsewhere["cases"], strict=True)
        ]
        return _table(["", *swap_head[1:4], f"{shallow}, masses permuted", f"{deep}, masses permuted"], rows)

    rest = [moved(case, 2) for case in elsewhere["cases"]]
    clear = [sum(x["high"] < 0 or x["low"] > 0 for x in column) for column in zip(*rest, strict=True)]
    last = rest[-1]
    short = sum(swap["estimate"] > gap["estimate"] for gap, swap, *_ in rest)
    beyond_gap = sum(back["estimate"] > -gap["estimate"] for gap, _, back, *_ in rest)
    other_miss = max(x["miss"] for case in elsewhere["cases"] for x in case["starts"])
    return f"""# What decides: pass rates, then alignment

Two checkpoints of one SFT run, {shallow} and {deep} steps deep. The deep one has more pass@1 and ends lower
([ladders](ladder.md)). They differ in everything; so each is *copied* into a new student that has the checkpoint's policy
on all trained and all fresh prompts, and a copy is changed in one respect before GRPO starts. {seeds} seeds, paired, 95%
intervals of Student over them; `{made["command"]}` made this in {made["seconds"]} s
([evidence/what_decides.json](evidence/what_decides.json)).

**The tasks**: 128 trained and 128 fresh prompts in R^16, one correct answer: of one token with 64 choices, or of two with 16 each.
SFT on 256 demonstrations with 30% of the tokens incorrect. The policy has two layers of 128; tokens are independent given the
prompt, so both pass rates and incorrect answers are changed token by token. RL: g = 8, 64 prompts a step,
{found["steps"]} steps of AdamW. The *linear* students have 512 fixed random features, are solved for exactly, and are trained
by plain ascent: their kernel cannot change.

**The control of the method**: copies miss the pass rates they were asked for by at most {miss:.4f} on average, and end where the
checkpoint itself ends, within {drift[0]:.3f} of fresh peak pass@{k} and {drift[1]:.3f} of trained pass@1.

## First: the pass rates

Give every prompt the pass rate that it has in the *other* checkpoint, and leave its incorrect answers as they are, in
proportion. Trained pass@1 after RL, the outcome whose order RL turns (the deep copy starts ahead, {before[0]:.3f} to {before[1]:.3f} in
the one-token task):

{_table(swap_head, swaps[2])}

Fresh peak pass@{k}, whose order is turned already before RL ({before[2]:.3f} to {before[3]:.3f}), and to which RL from a copy adds little:

{_table(swap_head, swaps[0])}

The swap moves both outcomes by as much as the whole gap or more, in both directions: **the pass rates explain the inversion**. What is left
at equal pass rates, in the last two columns, is what the incorrect answers do. It has the other sign, where it is not lost in noise: the deep
checkpoint's errors are the less harmful ones, and with pass rates alone the inversion would be larger than it is.

## Then: which incorrect answers carry the mass

All of these have the copy's pass rate on every prompt. *Permuted*: each prompt's incorrect masses change places, so its entropy is the
copy's too. *Even*: the most entropy there can be. The last column compares two starts with one entropy on every prompt, with
{0.95:.0%} of the incorrect mass on one answer: the same for all prompts, or the answer of the nearest prompt. Fresh peak pass@{k}:

{_table(["", "depth", "permuted, over the copy", "even, over the copy", "same for all, over the nearest prompt's"], shapes)}

So at given pass rates it matters what a checkpoint gets wrong, by as much as the inversion itself, and entropy is not the name of it:
permuted masses have the copy's entropy and end higher in every row; even masses have most entropy ({one_copy["entropy"]:.2f} to
{one_even["entropy"]:.2f} nats at depth {shallow}, {deep_copy["entropy"]:.2f} to {deep_even["entropy"]:.2f} at {deep}, one token), and end higher at
depth {shallow} and hardly or not at {deep}; one error for all prompts has less entropy than the copy in every row and ends highest. A
start whose errors are the nearest prompt's answer ends where the copy ends in fresh peak pass@{k}: in {at_zero} of {len(near)} rows the interval of
the difference holds 0. In trained pass@1 it does not always: {min(trained):+.3f} to {max(trained):+.3f}, above the copy in {higher} rows by the
interval. That is what SFT does to neighbours: it leaves mass on answers that are correct next door.

In a table, where no prompt learns from another and it makes no difference which answers carry the mass, more entropy at equal pass rates
moves pass@1 by {_signed(least)} to {_signed(most)}, by how many prompts start at the edge of what the budget can lift
([the map](inversion.md#what-this-does-not-show)). Here, in networks and starts of other pass rates, even masses end higher or are not shown to differ.

## Other trainers, and a recurrent policy

The same one-token networks under plain ascent (rate 0.1, which a trial had shown to be stable), RLOO, groups of 64, 4 epochs on the same
rollouts, or five times as many steps, five rows that share their students; and a
gated recurrent unit (width 96, two tokens of 8 choices, 64 + 64 prompts) whose second token depends on the first, so that responses are changed as a
whole. {elsewhere["seeds"]} seeds each; copies miss the pass rates they were asked for by at most {other_miss:.4f} on average. Trained pass@1:

{elsewhere_table(2)}

Fresh peak pass@{k}:

{elsewhere_table(0)}

In trained pass@1 the deep copy ends below the shallow one in {clear[0]} of {len(rest)} rows with its interval; the deep one's pass rates lower the shallow copy
in {clear[1]}, the shallow one's raise the deep copy in {clear[2]}; permuted masses raise the shallow copy in {clear[3]}, the deep one in {clear[4]}. Where an interval
holds 0 it is wide: with {elsewhere["seeds"]} seeds it denies nothing. The swap is lopsided: the fall falls short of the gap in {short} rows by its
point estimate, the rise goes beyond it in {beyond_gap}. Most so in the recurrent policy: the deep one's pass rates take the shallow copy part of
the way ({last[1]["estimate"]:+.3f} where the gap is {last[0]["estimate"]:+.3f}), the shallow one's take the deep copy further than that ({last[2]["estimate"]:+.3f}); and
at depth {deep} permuted masses are not shown to matter. (`{elsewhere["provenance"]["command"]}`, {elsewhere["provenance"]["seconds"]} s under other load;
[evidence/what_decides_elsewhere.json](evidence/what_decides_elsewhere.json).)

## The law, and a number before RL

In a linear policy the update at prompt x moves the log-odds of prompt x' by
rate × w(p) pq × kernel(x, x') × <c - d, c' - d'>, to first order, with c and d the distributions inside the correct and the
incorrect class ([F9](theory.md#F9)). The last factor is the *alignment*. It is positive where both prompts err alike, and negative where
the answer of one is the error of the other.

The **alignment number** is how fast the log-odds of the prompts that {k} samples leave unsolved would move at first: the law's sum over the trained
prompts, averaged over prompts with weight (1-p)^{k}. It needs no RL: one derivative of the policy along the mean update. How it ranks the
starts of one checkpoint that have equal pass rates, beside entropy (Spearman's rho within a seed, mean):

{_table(["", "depth", f"alignment number, fresh peak pass@{k}", "entropy", "alignment number, trained pass@1", "entropy"], ranks)}

![Fresh peak pass@{k} over entropy, and over the alignment number, for starts of equal pass rates](what-decides.png)

**Where it stops.** It is the first step only. In the linear policy even and permuted masses have nearly one number, and at depth
{deep} end apart; in networks their numbers are far apart, and at depth {shallow} they end alike. Later a common error is unlearned once for all,
and mass on few answers moves faster than mass on many (kappa in [F1](theory.md#F1)). A network's kernel is learned too: compare the numbers of one kind of student
only. Of checkpoints with different pass rates it says little: there the pass rates come first. The shallow copy
ends higher in all three cases, and its number is the lower one in {lower} of them. Over {ladders["ladders"]} random ladders it ranks checkpoints
by trained pass@1 with {_signed(ranked["trained"], 2)} and by fresh peak pass@{k} with {_signed(ranked["fresh"], 2)}, much as depth does; the
same derivative taken for pass@1 itself does better ([predictors](predictors.md#the-alignment-number-of-real-checkpoints)).

## All starts

{"".join(f"**{case['name'].capitalize()}**, RL rate {case['rate']:g}:" + chr(10) * 2 + table(case) + chr(10) * 2 for case in cases)}## What this does not show

Toy policies, one kind of noise, two depths of one ladder, one rate for each student. Copies are as good as the checkpoint on these prompts only;
elsewhere they were not asked. Starts other than the copies are no checkpoints that SFT would leave: they say what decides, not
what can be had. Tokens of a response were independent; in the two-token task a swap moves each token's pass rate, which fixes the
response's. Of eight starts the networks ran seven; under other trainers three, and in the recurrent policy four, with half of the seeds.

A first trial, 6 seeds of the one-token network, had given -0.144 and +0.153 for the swap and +0.121 and +0.110 for permuted masses, which these seeds
confirm; 0.003 for what copies miss, which is more for two tokens and on trained prompts; and had not seen that the swap of fresh pass@{k} is mostly there before RL.
"""


def _signed(effect: dict[str, float], digits: int = 3) -> str:
    return signed(Estimate(*(effect[name] for name in ("estimate", "low", "high"))), digits)


def _as_correlation(estimate: dict[str, Any]) -> dict[str, float]:
    """Cut to [-1, 1], which Student's interval does not know."""
    return {end: max(-1.0, min(1.0, estimate[end])) for end in ("estimate", "low", "high")}


def mitigations() -> str:
    """docs/mitigations.md: what brings a collapsed checkpoint back."""
    found = _evidence("mitigations")
    made, names = found["provenance"], [name.replace("@k", f"@{found['k']}") for name in found["outcomes"]]
    head = ["", "pass@1 before", "rollouts a step", *(x for name in names for x in (name, "way back"))]
    rows = [
        [f"depth {depth}, bare", f"{before:.3f}", "1.0", *(x for value in after for x in (f"{value:.3f}", share))]
        for depth, before, after, share in zip(
            found["depths"], found["before"], (found["good"], found["deep"]), ("100%", "0%"), strict=True
        )
    ]
    for one in found["mitigated"]:
        cells = [
            x
            for after, gain, share in zip(one["after"], one["gain"], one["share"], strict=True)
            for x in (f"{after:.3f}", f"{share:.0%}{'' if gain['low'] > 0 or gain['high'] < 0 else ' (n.s.)'}")
        ]
        rows.append([one["name"], f"{one['before']:.3f}", f"{one['rollouts']:.1f}", *cells])
    in_sft = [x for x in found["mitigated"] if x["name"].endswith("in SFT")]
    before = "; ".join(f"with {x['name']} it has pass@1 {x['before']:.3f}" for x in in_sft)
    at = [found["outcomes"].index(name) for name in ("fresh peak pass@k", "trained final pass@1")]
    in_rl = [x for x in found["mitigated"] if x["gap"]]
    gaps = [["bare", *(x for i in at for x in (*_ends(found["deep"][i], found["gap"][i]), ""))]]
    gaps += [
        [one["name"], *(x for i in at for x in (*_ends(one["after"][i], one["gap"][i]), _signed(one["widened"][i])))]
        for one in in_rl
    ]
    gap_head = ["", *(x for i in at for x in (f"{names[i]}: good", "deep", "gap less the bare gap"))]
    wider, closer = (
        [
            "; ".join(f"{x['name']} ({x['widened'][i]['estimate']:+.3f})" for x in in_rl if apart(x["widened"][i]))
            or "none"
            for i in at
        ]
        for apart in (lambda x: x["low"] > 0, lambda x: x["high"] < 0)
    )
    kl, maxrl = (next(x for x in in_rl if x["name"] == name) for name in ("KL to the start, 0.1", "MaxRL"))
    (good, deep), *lifted = (
        [f"{y:.3f}" for y in (x["after"][0] + x["gap"][0]["estimate"], x["after"][0])]
        for x in ({"after": found["deep"], "gap": found["gap"]}, kl, maxrl)
    )
    return f"""# Mitigations

The inverting ladder's deepest checkpoint ({found["depths"][1]} SFT steps) has more pass@1 than the best one
({found["depths"][0]} steps) and ends lower. What brings it back? Each row changes one thing in the run from the deep checkpoint;
strengths were fixed beforehand. {found["seeds"]} seeds, paired; *way back* is the share of the gap to the good checkpoint that is
closed, *n.s.* where the 95% interval of the gain holds 0. `{made["command"]}` made this in {made["seconds"]} s
([evidence/mitigations.json](evidence/mitigations.json)).

{_table(head, rows)}

{_mitigation_reading(found)}

What is done in SFT changes the checkpoint that is to be mended: {before}; without either, {found["before"][1]:.3f}. One that
starts below the good checkpoint ({found["before"][0]:.3f}) no longer looks better than it, so there is no order left that could turn: that it ends
well is better SFT, not a cure of over-training.

## Does the gap close?

What helps the deep checkpoint may help the good one as much. Changes of RL alone were run from both:

{_table(gap_head, gaps)}

By {names[at[0]]} the gap is wider under {wider[0]}; smaller under {closer[0]}. By {names[at[1]]} it is wider under {wider[1]};
smaller under {closer[1]}.

A KL term of 0.1 and MaxRL take the good checkpoint's fresh peak from {good} to {lifted[0][0]} and {lifted[1][0]}, the deep one's from {deep} to
{lifted[0][1]} and {lifted[1][1]}: they are better training from a good start, and no cure of a bad one.

One task, one policy, one strength or two of each: a row that fails here may work elsewhere at another strength, and what
works here was not tuned. The best checkpoint was there before and costs nothing.
"""


def _ends(deep: float, gap: dict[str, float]) -> tuple[str, str]:
    """Where the good and the deep checkpoint end."""
    return f"{deep + gap['estimate']:.3f}", f"{deep:.3f}"


def _mitigation_reading(found: dict[str, Any]) -> str:
    """What clearly helps and clearly hurts, on the first outcome, by its intervals."""
    at = found["outcomes"][0].replace("@k", f"@{found['k']}")
    helps = [x for x in found["mitigated"] if x["gain"][0]["low"] > 0]
    hurts = [x for x in found["mitigated"] if x["gain"][0]["high"] < 0]
    rest = [x for x in found["mitigated"] if x not in helps and x not in hurts]

    def listed(rows: list[dict[str, Any]]) -> str:
        return "; ".join(f"{x['name']} ({x['gain'][0]['estimate']:+.3f})" for x in rows) or "none"

    return (
        f"By {at}, better than the bare run: {listed(sorted(helps, key=lambda x: -x['gain'][0]['estimate']))}. Not distinguishable "
        f"from it: {listed(rest)}. Worse: {listed(hurts)}."
    )


def logs() -> str:
    """docs/logs.md: what a training log says, and how far its warnings can be trusted (docs/evidence/warnings.json)."""
    found = _evidence("warnings")
    made = found["provenance"]
    by = {(row["run"], row["groups"], row["rule"]): row for row in found["rows"]}
    runs = {row["run"]: row["degenerate_at"] for row in found["rows"]}
    sizes = sorted({row["groups"] for row in found["rows"]})
    rules = list(dict.fromkeys(row["rule"] for row in found["rows"]))

    def share(run: str, groups: int, rule: str) -> str:
        row = by[run, groups, rule]
        return f"{row['share']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"

    def lead(run: str, groups: int, rule: str) -> str:
        row = by[run, groups, rule]
        span = f", {row['lead'][0]:.0f} ({row['lead'][1]:.0f} to {row['lead'][2]:.0f})" if row["lead"] else ""
        return f"{row['warned']:.3f}{span}"

    steady = [
        [run, groups, *(share(run, groups, rule) for rule in rules)]
        for run, at in runs.items()
        if at is None
        for groups in sizes
    ]
    degenerating = [
        [f"{run} (row {at})", groups, share(run, groups, "degenerating"), *(lead(run, groups, r) for r in rules)]
        for run, at in runs.items()
        if at is not None
        for groups in sizes
    ]
    return f"""# Training logs

`rlsignal track LOG --group-size 8`, or `track(log, 8)`: degenerate groups over the steps of a run beside two expectations
(all prompts alike; the mean moved and the first window's dispersion stayed), the dispersion that explains them, and a
warning when the run is degenerate or on its way there. [Beside TRL](trl.md) it is logged while the run goes.

## What the columns mean

Read in the sources of the versions named; a log does not say its version, so `read` goes by columns and checks by size.

| trainer | column | what it is |
|---|---|---|
| TRL, before 0.27.0 | `reward_std` | mean over groups of the rewards' s.d. inside them (ddof 1) |
| TRL, 0.27.0 and later | `reward_std` | s.d. of the whole batch: for rewards of 0 and 1 it repeats the mean |
| TRL | `frac_reward_zero_std` | share of degenerate groups, with `scale_rewards` "group" or "none"; with "batch", and with \
`normalize_then_sum`, whether the whole batch agrees |
| TRL | `reward` | weighted sum of all reward functions; binary only where there is one, and it is |
| OpenRLHF 0.11 | `group_reward_std` | mean over groups of their s.d. |
| EasyDeL | `reward_std`, `frac_reward_zero_std` | within groups (ddof 0); share of degenerate groups |
| verl 0.10 | `critic/score/mean`, `critic/rewards/mean` | mean score; mean reward, from which a KL penalty may be taken. No column counts \
degenerate groups: dump the rollouts |
| NeMo-RL | `baseline_reward/pct_0`, `pct_1` | of leave-one-out baselines: the lone success of a group counts as 0 |
| prime-rl | `solved_none`, `solved_all` | shares of groups: the degenerate ones |
| rllm | `batch/solve_none`, `batch/solve_all`, `batch/solve_partial` | counts of groups; the first two of the sum of all |
| Tinker | `env/all/by_group/frac_all_good`, `frac_all_bad` | shares of groups: the degenerate ones |
| slime | `zero_std/count_0`, `zero_std/count_1` | counts of groups; `groups=` says of how many |

[Which files are read](formats.md) lists every column. With several reward functions the degenerate share is that of their
sum: it is kept, and the mean is used only where it is binary.

## The warnings

Both ask whether at least a tenth of the groups is informative. Each has a chance of at most 2.5% of being wrong over the
whole run, so together 5%, however long it is and however often one looks. Rows that differ more than independent groups
would count as fewer groups.

**Degenerate**: an informative tenth of the groups can be ruled out ([I10](theory.md#I10)), if in every row, given the
past, a tenth or more is informative, and rows differ by no more than half of that. Safe, and late: it confirms.

**Degenerating**: it can be ruled out that the line through the last {2 * made["window"]} or {4 * made["window"]} rows stays below 90% for {made["window"]} more. The lower
end of the line's forecast decides; four times in a window it is looked at, and of the 2.5%, half of which goes to each
line, the i-th window since the first look may spend a share of 1/i(i+1). A run that bends below 90% just then was on that course
and left it, which is noted once a window has passed.

{made["runs"]:,} simulated logs a line, of {made["rows"]} rows, window {made["window"]}, groups of 8; brackets are 95%
intervals. `{made["command"]}` made them in {made["seconds"]} s with seed {made["seed"]} (rlsignal {made["rlsignal"]}, numpy
{made["numpy"]}, Python {made["python"]}, {made["machine"]}); all rows are in
[evidence/warnings.json](evidence/warnings.json). "One row above 90%" is what a glance at a chart does.

### False alarms

Runs that never pass 90% degenerate groups; share of them that is warned of.

{_table(["run", "groups a row", *rules], steady)}

### Lead times

Runs that do, at the row in brackets. First the share that *degenerating* warns of in time, with its interval. Then for each rule
the share ever warned of, and the median lead in rows (10th to 90th percentile), negative after the fact. A lead of one
row above 90% is worth what its false alarms are.

{_table(["run", "groups a row", "degenerating, in time", *rules], degenerating)}

### Recorded runs

On the two public logs of one group a row at hand (500 rows each, 54% and 66% degenerate groups) neither rule warns, and neither
run gets there. With one group a row *degenerating* sees next to nothing, and *degenerate* needs some 200 rows: log more groups, or wait.

Not shown: runs of language models whose groups all become degenerate, of which no public log with its groups was at hand; rows whose groups share
prompts, which are not independent draws.
"""


def formats() -> str:
    """docs/formats.md: which files are read, from the table of known formats and the names of columns."""
    kinds = {"rollouts": "a row a rollout", "counts": "counts", "rates": "shares", "log": "training log"}

    def columns(known: Format) -> str:
        ideas = {"prompt": known.prompt or known.group, "repeat": known.repeat, "data set": known.dataset}
        ideas |= {"step": known.step, "checkpoint": known.checkpoint, "filter": known.filter}
        ideas |= {"reward": known.reward, "incorrect": known.wrong, "share": known.rate, "samples": known.samples}
        ideas |= {"mean": known.mean, "degenerate": known.degenerate}
        special = {"@metrics | @known": "as `metrics` lists", "@others": "a column a reward function"}
        return ", ".join(f"{idea} {special.get(name, _cell(name))}" for idea, name in ideas.items() if name)

    read = [
        [f"{known.name}<br>{known.where}".replace("|", "\\|"), kinds[known.kind], columns(known), known.trap]
        for known in FORMATS
        if not known.refuse
    ]
    refused = [[known.name, known.where, f"It {known.refuse}."] for known in FORMATS if known.refuse]
    titles = {
        "prompt": "prompt",
        "dataset": "data set",
        "mean": "mean of a log",
        "degenerate": "degenerate share of a log",
    }
    hidden = ("entropy", "reward_std", "group_std", "filter")
    names = [
        [titles.get(idea, idea.replace("_", " ")), ", ".join(_cell(name) for name in known)]
        for idea, known in SYNONYMS.items()
        if idea not in hidden
    ]
    return f"""# Which files are read

`read(source)`, and every command that takes a FILE, recognise a file by what is in it, say on their first line what it was
read as, and ask where a choice would change the counts. `--explain` prints the call that leaves nothing to guess.

## From where

A file, a pattern (`"runs/*.jsonl"`), a folder (files without rollouts are named and left out), `-` for standard input, a
list of these; compressed by gzip, bzip2, xz, zip, or Zstandard where a reader is installed. In Python also arrays of 0 and 1
[prompts, samples], frames of pandas, polars and arrow, data sets of Hugging Face, mappings of columns, and rows.

## Known formats

`*` is any text; of several columns that it matches, one is named with `scorer=`. A reward joined by `&` needs all of its
columns. `a / b` divides counts, `groups` being what `groups=` says; `#` sums all columns that match.

{_table(["format", "rows", "columns", "note"], read)}

## Refused, and what to read instead

{_table(["format", "written by", "why"], refused)}

Also refused by name: pickles and torch checkpoints, the binary log of W&B, SQLite, Arrow, HDF5, spreadsheets, tensors; each
error names the export that is read.

## Tables of your own

Without a known format columns are recognised by name, whatever their case; the first that is there is taken.

{_table(["stands for", "names"], names)}

A column of `repeat` numbers the rollouts of a prompt if each (prompt, value) stands once; otherwise it is asked about.
Equal ids of two data sets are two prompts. Rewards are 0 and 1, true and false, pass and fail and their kin, or "3/8" for
three of eight; a reward of -1, and rewards of other values, are asked about, while a count or share of -1 stands for none
and is left out with a note. Numbers may be percentages with their sign, have a decimal comma, or thousands separators.
Shares without a number of samples get the smallest that makes all of them whole counts, for each checkpoint of a file its
own where its shares show it; a note says which.
"""


def questions() -> str:
    """docs/questions.md: questions from trackers with their answers and calls, from docs/questions.json."""
    names: dict[str, Any] = {}
    exec("\n".join(_IMPORTS), names)
    parts = []
    asked = json.loads((DOCS / "questions.json").read_text(encoding="utf-8"))
    for x in asked:
        if "about" in x:
            parts.append(f"## {x['about']}")
            continue
        repository, number = x["where"].split("#")
        link = f"[{x['where']}](https://github.com/{repository}/issues/{number})"
        answer = textwrap.fill(
            f"{x['answer']} ([{x['see']}](theory.md#{x['see']}); asked in {link})", 120, break_on_hyphens=False
        )
        call = f"```python\n>>> {x['call']}\n{eval(x['call'], names)!r}\n```"
        parts.append(f"### {x['question']}\n\n{answer}\n\n{call}")
    count = sum("question" in x for x in asked)
    body = "\n\n".join(parts)
    imports = "\n".join(f">>> {line}" for line in _IMPORTS)
    return f"""# Questions from trackers

{count} questions that users ask where they train, each answered in three sentences and one call; the numbers are computed. A
link leads to a thread that asks it, in our words. Answers hold for what [theory](theory.md) says and not beyond it.

```python
{imports}
```

{body}
"""


def filters() -> str:
    """docs/filters.md: what filters cost and change, for one data set and group size."""
    g, mean, rho = 8, 0.33, 0.49
    data, k = Beta(mean, rho), np.arange(g + 1)
    share = (np.arange(20_000) + 0.5) / 20_000
    p = betaincinv(mean * (1 - rho) / rho, (1 - mean) * (1 - rho) / rho, share)
    pmf, degenerate = Fixed(p).pmf(g), np.asarray(degenerate_probability(p, g))
    at = np.array([0.02, 0.1, 0.5, 0.9])
    every, informative = np.ones(g + 1), ((k > 0) & (k < g)) * 1.0

    def band(k: Any, g: int) -> Any:
        return (k >= 0.2 * g) & (k <= 0.8 * g)

    def rows(k: Any, g: int) -> Any:
        return (k > 1) & (k < g - 1)

    def skipped(p: Any) -> Any:
        return 1 / (1 + np.asarray(degenerate_probability(p, g)))

    def retired(p: Any) -> Any:
        return (1 - p**g) ** 8

    always = np.ones_like
    kinds: list[tuple[str, str, Estimator, Any, int, Callable[[Any], Any]]] = [
        ("none", "W1", GRPO, every, g, always),
        ("drop degenerate groups and refill", "B3", GRPO, informative, g, always),
        ("keep 20% to 80% correct", "B6", filtered(GRPO, band), band(k, g) * 1.0, g, always),
        ("NeMo-RL's rows, with its estimator", "B6", filtered(GRPO_NEMO, rows), rows(k, g) * 1.0, g, always),
        ("look at 2, go on if they differ", "B8", filtered(GRPO, screened(2)), screened(2)(k, g), 2, always),
        ("look at 4, go on if they differ", "B8", filtered(GRPO, screened(4)), screened(4)(k, g), 4, always),
        ("the 30% of groups that vary most", "B8", filtered(GRPO, top_variance(data, g, 0.3)), None, g, always),
        ("the 4 of 8 rollouts that vary most", "B8", down_sampled(GRPO, 4), informative, g, always),
        ("skip once after a degenerate group", "B8", GRPO, every, g, skipped),
        ("retire when all correct, after 8 visits", "B8", GRPO, every, g, retired),
    ]
    base, table = np.asarray(GRPO.weight(at, g)), []
    for name, label, estimator, kept, first, visited in kinds:
        chances = top_variance(data, g, 0.3)(k, g) if kept is None else kept
        weight = np.asarray(estimator.weight(at, g)) * visited(at)
        use = np.asarray(visited(p))
        groups = float((use * (pmf @ chances)).mean())
        useful = float((use * (pmf @ (chances * informative))).mean())
        cost = (first * float(use.mean()) + (g - first) * groups) / useful
        logged = float((use * (pmf @ (chances * k / g))).mean()) / groups
        stays = "stays" if np.ptp(weight / base) < 1e-9 else "turns"
        relative = [f"{x:.2f}" for x in weight / weight[2]]
        table.append([f"{name} ([{label}](theory.md#{label}))", f"{cost:.1f}", stays, *relative, f"{logged:.2f}"])
    return f"""# Filters

What a filter of groups costs, what it does to the direction of training, and what a log of kept groups shows. Computed for
GRPO in groups of {g} and prompts of a Beta population of mean {mean:g} and dispersion {rho:g}, of whose groups {float(degenerate.mean()):.0%}
are degenerate; `filtered`, `screened`, `top_variance` and `down_sampled` answer for others.

{_table(["filter", "rollouts", "direction", *(f"weight at {x:g}" for x in at), "logged mean"], table)}

*Rollouts*: that are drawn for each informative group that is trained on. *Weight*: of a prompt with that pass rate over one of
0.5; the first line is GRPO's own. *Direction*: stays if all weights keep their ratios. *Logged mean*: over kept groups; pass@1
is {mean:g}.

- **Dropping degenerate groups changes nothing but the size of the step**: divided by kept groups only it is larger by 1/(1-D),
  {1 / (1 - float(degenerate.mean())):.1f} here. All others optimise something else.
- **Bands, looks and the most varied groups turn away from hard prompts**, which is where rare successes are; keeping the most
  varied rollouts turns towards them, at the price of rollouts that are generated and not trained on.
- **Skipping saves a little, and turns little**: of prompts that were degenerate once
  {float(np.asarray(degenerate_again_probability(data, g))):.0%} are so again ([B7](theory.md#B7)), and each is skipped once only.
- **No logged mean of kept groups is pass@1**: it is nearer to a half, or lower where solved prompts are retired.

```python
>>> from rlsignal import *
>>> from rlsignal.estimators import *
>>> from rlsignal.theory import *
>>> mine = filtered(GRPO, lambda k, g: (k > 0) & (k < 0.75 * g))               # leave out what is nearly solved
>>> [round(float(mine.weight(p, 8) / mine.weight(0.5, 8)), 2) for p in (0.02, 0.9)]
{[round(float(x), 2) for x in _nearly_solved()]}
```
"""


def _crossing() -> list[float]:
    """The best sizes in the example of docs/budget.md."""
    return [max(2, round(1 + (12.0 / (0.5 + prompts * 0.04)) ** 0.5, 1)) for prompts in (1, 12, 64, 512)]


def _nearly_solved() -> list[float]:
    """The weights in the example of docs/filters.md."""
    mine = filtered(GRPO, lambda k, g: (k > 0) & (k < 0.75 * g))
    return [float(np.asarray(mine.weight(p, 8))) / float(np.asarray(mine.weight(0.5, 8))) for p in (0.02, 0.9)]


def references() -> str:
    """docs/references.md: the papers that the theory stands on, from docs/references.json, and where each is cited."""
    known = json.loads((DOCS / "references.json").read_text(encoding="utf-8"))
    cited = _cited()
    rows = []
    for number, x in sorted(known.items()):
        where = ", ".join(f"[{label}](theory.md#{label})" for label in cited["theory.md"].get(number, []))
        pages = [name for name, found in cited.items() if name != "theory.md" and number in found]
        places = "; ".join(filter(None, [where, ", ".join(f"[{name[:-3]}]({name})" for name in pages)]))
        rows.append([f"[{number}](https://arxiv.org/abs/{number})", x["title"], x["here"], places])
    return f"""# References

The papers on arXiv that these pages cite, and what is used of each. None is summarised: of most, the abstract and the parts
that are used were read.

{_table(["arXiv", "title", "used here", "cited in"], rows)}

Textbook results are named as such where they are used. What the trainers compute was read in their sources; the versions
stand in [E1](theory.md#E1), [formats](formats.md) and [logs](logs.md).
"""


def _cited() -> dict[str, dict[str, list[str]]]:
    """By page, every arXiv number in it, with the entries of theory.md that cite it."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(DOCS.glob("*.md")):
        if path.name == "references.md":
            continue
        label, numbers = "", found.setdefault(path.name, {})
        for line in path.read_text(encoding="utf-8").splitlines():
            anchor = re.match(r'<a id="(\w+)">', line)
            label = anchor[1] if anchor else label
            for number in re.findall(r"\b\d{4}\.\d{5}\b", line):
                places = numbers.setdefault(number, [])
                if path.name == "theory.md" and label not in places:
                    places.append(label)
    return found


def budget() -> str:
    """docs/budget.md: group sizes under a budget, as simulated into docs/evidence/budget.json."""
    found = _evidence("budget")
    made, rows = found["provenance"], found["rows"]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    budgets = sorted({row["rollouts"] for row in rows})

    table = dict[tuple[str, str, str], list[str]]()
    for x in found["best"]:
        kind = x["task"], x["estimator"], f"{x['dispersion']:g}"
        table.setdefault(kind, []).append(f"{x['chain']}; {x['simulated']} ({x['low']} to {x['high']})")
    names = {0.0: "one for all group sizes", 0.5: "square-root rule", 1.0: "in proportion to the group"}

    def best_by_rule(scaling: float, estimator: str) -> str:
        here = {x["step"]: x["best"] for x in found["rules"] if (x["scaling"], x["estimator"]) == (scaling, estimator)}
        one, *others = (", ".join(map(str, here[step])) for step in (1.0, 0.25, 4.0))
        return one if set(others) == {one} else f"{one} ({'; '.join(others)})"

    rules = [[name, *(best_by_rule(scaling, e) for e in ("RLOO", "GRPO", "MAXRL"))] for scaling, name in names.items()]
    gaps = []
    for task in tasks:
        here = [x["simulated"] - x["chain"] for x in rows if x["task"] == task]
        kappa = next(x["collision"] for x in rows if x["task"] == task)
        gaps.append([task, f"{kappa:.2f}", len(here), f"{min(here):+.3f} to {max(here):+.3f}"])
    return f"""# A budget of rollouts, and the group size

Given so many rollouts of each prompt, are a few large groups better, or many small ones? [F8](theory.md#F8) answers for
independent prompts with their noise, [S4](theory.md#S4) for the noise of one step, and [S9](theory.md#S9) says where the two
meet. Here is what simulated runs say of it.

![pass@1 after a budget over the group size, and the best size over the budget](budget.png)

Lines are the chain of F8, points {found["draws"]} simulated runs of 512 prompts each with two standard errors, stars and the last
row the best size. Prompts are a Beta population of mean {found["mean"]:g}; budgets from below: {", ".join(map(str, budgets))}
rollouts of each prompt. Steps follow the square-root rule: {found["step"]:g} at groups of 8, times the root of g/8.

## What decides

The best sizes by the chain at {", ".join(map(str, budgets))} rollouts of each prompt, dispersion 0.3; at a quarter of the step and at
four times it in brackets, where they differ:

{_table(["learning rate", "RLOO", "GRPO", "MaxRL"], rules)}

- **A best size that grows with the budget needs a weight that grows with the group, and a learning rate that is raised with
  it**, or a weight that grows as fast as the group. GRPO's weight of rare successes grows as the root of g - 1, MaxRL's as
  g - 1, RLOO's not at all. As the budget grows, the prompts that are still to be learned are those with rare successes.
- **It is flat.** At the largest budgets, sizes from 8 to 128 end within a hundredth of each other under GRPO.
- **Dispersion moves the level, and hardly the best size.** Prompts per step do not enter at all where prompts are independent.
- **Two rollouts are the end of small groups**, and the best under RLOO here. What a group of two costs is the noise of its
  baseline ([S3](theory.md#S3)), which independent prompts do not feel: noise cannot push a pass rate down in a table.

## The best sizes

The chain's; then the simulated one, with the sizes that two standard errors do not tell from it.

{_table(["policy", "estimator", "dispersion", *(f"{n} rollouts" for n in budgets)], [[*kind, *x] for kind, x in table.items()])}

## Where it fails

Simulated less predicted pass@1, over all sizes and budgets:

{_table(["policy", "collision", "runs", "error"], gaps)}

With two responses the chain is exact, and what is left is sampling (error bars of {found["draws"]} runs are too short where about
one prompt among all of them is left behind). With 32 responses it is first order in the step and has the collisions of the start.
**With shared weights** (64 features for 512 prompts) levels are wrong by about a tenth at most: what is learned on one prompt moves others. The best sizes are
about the same, and flatter; the prediction of a level is not to be used there.

```python
>>> from rlsignal import *
>>> from rlsignal.theory import group_size_for_budget
>>> for estimator in (GRPO, RLOO):
...     print(estimator.name, [group_size_for_budget(Beta(0.2, 0.3), estimator, rollouts=n, step=1).best for n in (64, 512, 4096)])
GRPO [4, 8, 16]
RLOO [2, 2, 2]
```

## Where the two laws cross

The noise of one step has a best size without a budget in it ([S4](theory.md#S4)); a run that counts its steps wants small groups.
They meet at tau^2 / |G|^2 prompts a step ([S9](theory.md#S9)). Four gradient norms of a run hold these numbers
([S8](theory.md#S8)); with those of the example there they meet at {0.5 / 0.04:.1f} prompts, and the best size falls from {_crossing()[0]} to {_crossing()[-1]}:

```python
>>> between, slope, baseline = 0.5, 0.04, 12.0                   # tau^2, |G|^2, c
>>> [max(2, round(1 + (baseline / (between + prompts * slope)) ** 0.5, 1)) for prompts in (1, 12, 64, 512)]
{_crossing()}
```

`{made["command"]}` made this in {made["seconds"]} s ({made["device"]}, jax {made["versions"]["jax"]}), under other load; its
figures are in [evidence/budget.json](evidence/budget.json). Not shown: Adam, clipping, language models; learning rates that
are tuned for each size.
"""


def settings() -> str:
    made, axes, own = _evidence("settings"), _evidence("axes"), _evidence("checkpoints")
    rows = made["map"]["rows"] + axes["map"]["rows"]

    def effect(row: dict[str, Any], name: str) -> str:
        return _signed(row["effects"][name], 2)

    table = _table(
        [
            "setting",
            "pairs inverted",
            "law's rms error",
            "entropy control",
            "dispersion control",
            "reach control",
            "explained",
        ],
        [
            [
                row["setting"],
                f"{row['inverted']:.0%}",
                "none" if row["law_error"] is None else f"{row['law_error']:.3f}",
                *(effect(row, name) for name in ("entropy", "dispersion", "reach")),
                f"{row['explained'][0]:.0%}, {row['explained'][1]:.0%}",
            ]
            for row in rows
        ],
    )
    flips = [row for row in made["flips"]["rows"] if row["simulated"] is not None]
    ratios = sorted(
        row["simulated"] / row["predicted"] for row in flips if row["predicted"] > 5 * made["flips"]["resolution"]
    )
    middle = [ratios[round(q * (len(ratios) - 1))] for q in (0.05, 0.5, 0.95)]
    stated = _table(
        ["samples", "stated chance", "pairs", "mean stated", "right"],
        [
            [
                row["samples"],
                f"{row['from']:g} to {row['to']:g}",
                row["pairs"],
                f"{row['stated']:.2f}",
                f"{row['right']:.2f}",
            ]
            for row in own["calibration"]["rows"]
        ],
    )
    open_rows = [row for row in own["calibration"]["rows"] if row["to"] < 1]
    asked = sum(row["pairs"] for row in open_rows)
    chance, right = (sum(row["pairs"] * row[x] for row in open_rows) / asked for x in ("stated", "right"))
    noise = sum(row["pairs"] * row["stated"] * (1 - row["stated"]) for row in open_rows) ** 0.5 / asked
    sizes = list(dict.fromkeys((row["prompts"], row["samples"]) for row in own["coverage"]["rows"]))
    by_population: dict[str, list[dict[str, Any]]] = {}
    for row in own["coverage"]["rows"]:
        by_population.setdefault(row["population"], []).append(row)
    held = _table(
        ["pass rates", *(f"{prompts} prompts x {samples}" for prompts, samples in sizes)],
        [[name, *map(_held, each)] for name, each in by_population.items()],
    )
    known = [row["known"] for row in own["coverage"]["rows"] if 0 < row["known"] < 1]
    populations, faces = axes["populations"], axes["side_by_side"]
    real = _table(
        ["pass rates as in", "pass@1 before", "dispersion", "after", "by the law", "entropy", "dispersion", "shape"],
        [
            [
                row["population"],
                f"{np.mean(row['before']):.3f}",
                f"{row['dispersion']:.2f}",
                f"{np.mean(row['after']):.3f}",
                f"{row['law']:.3f}",
                *(effect(row, name) for name in ("entropy", "dispersion", "shape")),
            ]
            for row in populations["rows"]
        ],
    )
    shape = [row["effects"]["shape"]["estimate"] for row in populations["rows"]]
    pairs = len(populations["rows"]) * (len(populations["rows"]) - 1) // 2
    off = max(abs(np.mean(row["after"]) - row["law"]) for row in populations["rows"])
    apart = np.ptp([face["outcome"] for face in faces["faces"]], axis=0).max()
    inverted = [row["inverted"] for row in rows]
    within, dispersion = ([row["effects"][x]["estimate"] for row in rows] for x in ("entropy", "dispersion"))
    provenance = made["provenance"]
    return f"""# The map under other settings

<!-- Written by docs/generate.py from evidence/settings.json, axes.json and checkpoints.json; do not edit. -->

[The inversion map](inversion.md) is drawn for one task and one way to train. This page changes one thing at a time:
{made["map"]["prompts"]} prompts, {made["map"]["draws"]} draws, mean field, equal steps; the first row is the map's own setting at this size.

{table}

Entropy control: two and a half nats more entropy inside the classes at equal pass rates (fewer where the task holds less).
Dispersion: 0 to 0.93 at equal mean and entropy. Reach: the hardest prompts from 1e-6 to 1e-2 at equal mean, dispersion and
entropy; its pass rates are the same in all draws, so its intervals have hardly a width. Explained: what pass@1 and entropy, and pass@1 and dispersion, know of the outcome over independent Beta starts.

Between {min(inverted):.0%} and {max(inverted):.0%} of the pairs invert. The dispersion control lowers the outcome by {-max(dispersion):.2f} to {-min(dispersion):.2f}, entropy
inside the classes moves it by {min(within):+.2f} to {max(within):+.2f}. A KL term of weight 1 ends all at fixed points below 1 ([K1](theory.md#K1)), so
little is left to turn, and the law, which leaves KL out, fails. It fails for pass@4 training too: there the weight vanishes where 4
samples nearly always hold a correct one, and the prompts that take off stop short of 1 ([inversion.md](inversion.md#the-law-behind-it)).

Rollouts at another temperature: starts and ends are still measured at 1, where the controls hold pass rates. The law leaves
out KL and is of plain ascent alone. Dynamic sampling is at equal rollouts: steps are means over the informative groups, so they grow
as these become rare. Its row and Adam's are sampled throughout; why they have no mean field is in `rlsignal.sim.meanfield`.

## Estimators side by side

![pass@1 after equal rollouts over entropy and pass@1 of the start, for five estimators, and their contours in one plane](estimators.png)

The same starts at g = {faces["group_size"]} and {faces["steps"]} steps at one learning rate. No start ends more than {apart:.2f} apart under two of them, and
{min(face["inverted"] for face in faces["faces"]):.0%} to {max(face["inverted"] for face in faces["faces"]):.0%} of the pairs invert.

## Pass rates as real evaluations have them

Six populations, fitted by maximum likelihood to the counts of public evaluations: a share of prompts at 0, one at 1, and a Beta
between. {populations["prompts"]} prompts, {populations["draws"]} draws, g = 8, 400 steps of GRPO by the mean field.

{real}

Entropy: two to 98 percent of what the classes hold, at equal pass rates. Dispersion: these pass rates against their mean for every
prompt. Shape: these against a Beta of equal mean and dispersion. The law's share of prompts above p_c is within {off:.3f} of the end
of each. {populations["turned"]} of the {pairs} pairs turn their order, by more than noise and 0.02:
pairs of populations, of different models and prompts, not of checkpoints of one run.

Shape reaches from {min(shape):+.2f} to {max(shape):+.2f}, and samples hardly show it: 8 a prompt are only 1.0 and 0.5 nats likelier under the two
One-Shot fits than under the best Beta, CRUXEval's 10 a prompt 6.2 nats; in the other three the best fit is a Beta.

## When does the order turn?

`rlsignal.theory.budget_to_flip` gives the budget at which the start that is behind overtakes, from the flow of single prompts
at one collision ([F5](theory.md#F5)). For {len(made["flips"]["rows"])} random pairs of Beta starts that it says turn within a budget of 150, the simulated
mean field turned in {len(flips)}; simulated over predicted, where the prediction is above {5 * made["flips"]["resolution"]:g} ({len(ratios)} pairs): median {middle[1]:.2f}, 5th to 95th
percentile {middle[0]:.2f} to {middle[2]:.2f}. Collision is not constant in training, which is what the formula leaves out.

## Your own checkpoints: is what is stated right?

`rlsignal map --checkpoints A.jsonl B.jsonl` draws pass rates that the counts allow ([I12](theory.md#I12)) and trains from each draw.

*Intervals.* How often they hold the truth as they are printed, {own["coverage"]["runs"]} simulated evaluations each (a standard error of {(0.95 * 0.05 / own["coverage"]["runs"]) ** 0.5:.2f} at 0.95):
pass@1 now, dispersion now, and pass@1 after training with its mean width.

{held}

Without a correct sample the end is not stated; of populations that are rarely solved, {min(known):.0%} to {max(known):.0%} of the evaluations have one.
At a pass rate of 0.01 for all, pass@1 is held less often than stated, as Jeffreys' interval does near 0; so are the ends where 30% are never
solved, of 100 prompts.
Prompts that are exactly alike have a dispersion of 0, which intervals miss that begin a little above it. In the last row the ends are missed: 4 or 8 samples do not tell a pass rate of 0.005 from 0, which training does, and
prompts that have it all alike are neither a Beta's nor never solved.

*Order.* For {own["calibration"]["pairs"]} pairs of
checkpoints near each other ({own["calibration"]["prompts"]} prompts, Beta populations, pass rates known), how often the likelier order was that of the ends
from the true pass rates:

{stated}

Of the {asked} answers below 0.99 the mean stated chance is {chance:.3f}, and {right:.3f} were right: {abs(right - chance) / noise:.1f} standard errors
{"less" if right < chance else "more"}, if answers were independent; the same pairs stand behind all three numbers of samples.

The truth here is the model's own end from the true pass rates. That a language model ends where the model says is not shown
by these tables. `{own["provenance"]["command"]}` made them in {own["provenance"]["seconds"]} s.

`{provenance["command"]}` made this in {provenance["seconds"]} s ({provenance["device"]}, jax {provenance["versions"]["jax"]}), under other load;
`{axes["provenance"]["command"]}` the rows from temperature on, the picture's numbers and the populations, in {axes["provenance"]["seconds"]} s.
"""


def _held(row: dict[str, Any]) -> str:
    """What the three intervals of an evaluated checkpoint hold, and the width of its end's."""
    after = "not known" if row["after"]["held"] is None else f"{row['after']['held']:.2f} ({row['after']['width']:.2f})"
    return f"{row['before']['held']:.2f}, {row['dispersion']['held']:.2f}, {after}"


def _evidence(name: str) -> dict[str, Any]:
    """docs/evidence/NAME.json, written by `python -m experiments.evidence NAME`."""
    return json.loads((DOCS / "evidence" / f"{name}.json").read_text(encoding="utf-8"))


def _span(rows: list[dict[str, Any]], kind: str, **where: object) -> str:
    """Lowest and highest share of the rows that agree with `where`."""
    shares = [row[kind] for row in rows if all(row[key] == value for key, value in where.items())]
    ends = dict.fromkeys(f"{share:.3f}" for share in (min(shares), max(shares)))
    return " to ".join(ends)


def _table(head: list[str], rows: list[list[Any]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (head, ["---"] * len(head), *rows))


def _cell(formula: str) -> str:
    """Plain text as code, with the bars that would end a cell escaped."""
    return f"`{formula}`".replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "budget.md": budget,
    "claims.md": claims,
    "coverage.md": coverage,
    "filters.md": filters,
    "decisions.md": decisions,
    "ladder.md": ladder,
    "predictors.md": predictors,
    "formats.md": formats,
    "logs.md": logs,
    "mitigations.md": mitigations,
    "questions.md": questions,
    "references.md": references,
    "what-decides.md": what_decides,
    "settings.md": settings,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
