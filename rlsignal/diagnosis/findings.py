"""What a careful colleague would point out in a diagnosis, in sentences."""

import numpy as np

from rlsignal.diagnosis.diagnosed import Diagnosis, Finding
from rlsignal.diagnosis.prompts import LITTLE
from rlsignal.inference.intervals import signed


def findings(found: Diagnosis) -> tuple[Finding, ...]:
    """What a careful colleague would point out, the weightiest first."""
    g, share, at_mean = found.group_size, found.chosen.degenerate, found.chosen.from_the_mean
    listed = [_headline(found), *_time(found)]
    if share.value - at_mean > max(0.02, share.value - share.low):
        listed.append(
            Finding(
                "the mean misleads",
                f"At the mean pass rate {found.pass_at_1.value:.3f} only {at_mean:.1%} of the groups would be "
                f"degenerate: prompts differ (dispersion {found.dispersion.value:.2f}), and thresholds on the mean do "
                "not apply.",
                "Judge by counts per prompt, as here.",
                share.value - at_mean,
            )
        )
    if found.pass_at_1.value in (0, 1):
        listed.append(_one_kind(found))
    elif found.samples > 1:
        listed += _one_sided(found)
    if found.samples < g and np.isfinite(share.value):
        listed.append(
            Finding(
                "few samples",
                f"{found.samples} samples of a prompt do not show groups of {g}: the value is that of a fit "
                "anchored in a Beta, and the interval holds what every distribution of pass rates allows that agrees "
                "with the samples.",
                f"Sample each prompt {g} times to need no fit.",
                share.high - share.low,
            )
        )
    if found.goodness_of_fit_p < 0.05:
        beyond = [size for size in found.sizes if size.degenerate.how == "bounds"]
        listed.append(
            Finding(
                "no Beta",
                f"The pass rates are not those of a Beta (p = {found.goodness_of_fit_p:.2g})"
                + (f"; above g = {found.samples} trust the interval more than the value." if beyond else "."),
                "",
                0.05,
            )
        )
    listed += _sureness(found)
    return tuple(sorted(listed, key=lambda finding: -finding.weight))


def _time(found: Diagnosis) -> list[Finding]:
    """A dump whose policy moved is no evaluation of one policy."""
    if found.move is None or not found.move.sure:
        return []
    return [
        Finding(
            "the policy moved",
            f"The policy moved: from the first to the last third of the steps pass@1 changed by "
            f"{signed(found.move.pass_at_1)} and the share of degenerate groups by {signed(found.move.degenerate)} "
            "(99%). The figures here are of no single policy.",
            "Read the last part of the run in the table below, or `rlsignal track`.",
            0.95,
        )
    ]


def _sureness(found: Diagnosis) -> list[Finding]:
    """Whether there are enough prompts, and whether the interval is known to hold."""
    share, listed = found.chosen.degenerate, []
    half = (share.high - share.low) / 2
    if share.how == "samples" and half > 2 * CLOSE:
        needed = f"take about {_two_digits(found.prompts * (half / CLOSE) ** 2):,} prompts like these"
        if found.prompts < ENOUGH_TO_SCALE:
            needed = f"take hundreds, but how many so few do not tell: {found.prompts} show little of how they differ"
        listed.append(
            Finding(
                "few prompts",
                f"{found.prompts} prompts leave the share of degenerate groups open by ±{100 * half:.0f} points; "
                f"±{100 * CLOSE:.0f} points {needed}.",
                "More prompts help, more samples of these hardly do.",
                half,
            )
        )
    if share.warning and share.how == "samples":
        listed.append(
            Finding(
                "unsure",
                f"The 95% interval of degenerate groups may hold the truth less often here: {share.warning}",
                "",
                0.04,
            )
        )
    return listed


def _two_digits(number: float) -> int:
    digits = 10 ** max(int(np.log10(number)) - 1, 0)
    return int(round(number / digits) * digits)


def _headline(found: Diagnosis) -> Finding:
    """How many groups are degenerate, or between what and what."""
    g, here, share = found.group_size, found.chosen, found.chosen.degenerate
    if np.isnan(share.value):
        return Finding(
            "degenerate groups",
            f"Between {share.low:.0%} and {share.high:.0%} of groups of {g} are degenerate (no gradient): "
            f"{share.warning}",
            f"Sample each prompt {g} times to know.",
            1.0,
        )
    action = "No group is informative: start from another checkpoint, or use easier or harder prompts."
    if np.isfinite(here.rollouts):
        action = (
            f"An informative group costs {here.rollouts:.0f} rollouts; `rlsignal group-size` shows what other sizes "
            "would change."
        )
    return Finding(
        "degenerate groups",
        f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}] of groups of {g} are degenerate (no gradient): of "
        f"{here.batch} groups, {here.informative:.0f} ± {here.informative_sd:.0f} are informative.",
        action,
        1.0,
    )


def _one_kind(found: Diagnosis) -> Finding:
    """All samples are correct, or none is."""
    mean = found.pass_at_1
    if mean.value == 0:
        return Finding(
            "all incorrect",
            f"No sample is correct: the mean pass rate may be anything up to {mean.high:.2g}.",
            "Check that the reward can be 1 at all (answer format, parser, time limit), then use easier prompts.",
            0.9,
        )
    return Finding(
        "all correct",
        f"All samples are correct: the mean pass rate may be anything from {mean.low:.2g}.",
        "Check that the reward can be 0 at all, then use harder prompts.",
        0.9,
    )


SOME = 0.1
"""From this share of informative groups on, prompts are called worth their rollouts without a look at each."""


def _one_sided(found: Diagnosis) -> list[Finding]:
    """Prompts that showed one kind of sample only: whether to leave them out."""
    g, informative = found.group_size, 1 - found.chosen.degenerate.value
    findings = []
    for fraction, left, what, hard in (
        (found.never, found.informative_of_never, "never correct", "hard, not hopeless"),
        (found.always, found.informative_of_always, "always correct", "easy, not certain"),
    ):
        if fraction <= 0.1:
            continue
        text = f"{fraction:.0%} of the prompts are {what} in {found.samples} samples"
        lost = min(fraction * left / informative, 1.0) if informative > 0 else float("nan")
        if not left >= LITTLE:
            action = (
                "They cost rollouts and give next to no gradient: leave them out (`--ids FILE --keep informative` "
                "writes the prompts to keep)."
            )
        else:
            which = f"They are {hard}" if left >= SOME else f"Few of them are {hard} (`--ids FILE` tells them apart)"
            action = f"{which}: leaving them out would lose about {lost:.0%} of the informative groups."
        more = (
            f"; by the anchored fit {left:.0%} of groups of {g} on them are informative." if np.isfinite(left) else "."
        )
        findings.append(Finding(what, text + more, action, fraction / 2))
    return findings


CLOSE = 0.05
"""Half of the width of an interval that decides most questions."""

ENOUGH_TO_SCALE = 20
"""Prompts whose interval is scaled to that of more prompts."""
