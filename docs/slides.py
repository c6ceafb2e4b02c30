"""Ten slides and a worksheet, each one HTML file that needs nothing else. Built by `make docs`.

The pictures are drawn by the library and lie inside the files.
"""

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import misconceptions
import numpy as np
from matplotlib.axes import Axes

import rlsignal as rl
from rlsignal import plots


def picture(draw: Callable[[Axes], None], words: str, size: tuple[float, float] = (6.4, 3.2)) -> str:
    """A figure inside the page."""
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    draw(ax)
    held = BytesIO()
    figure.savefig(held, dpi=130, format="png")
    plt.close(figure)
    data = base64.b64encode(held.getvalue()).decode()
    return f'<img alt="{words}" src="data:image/png;base64,{data}">'


def later(words: str) -> str:
    """What a class predicts first: it opens with the next arrow key or a click, and is open on paper."""
    return f"<details><summary>Answer</summary>{words}</details>"


def wall(ax: Axes) -> None:
    """64 groups of 8 rollouts at p = 0.2; degenerate ones in grey."""
    rewards = np.random.default_rng(5).random((64, 8)) < 0.2
    informative = rewards.any(1) & ~rewards.all(1)
    groups, rollouts = np.meshgrid(np.arange(64), np.arange(8), indexing="ij")
    for mask, colour, label in ((informative, "#00204d", "informative"), (~informative, "#999999", "degenerate")):
        chosen = np.broadcast_to(mask[:, None], rewards.shape)
        correct, incorrect = chosen & rewards, chosen & ~rewards
        ax.plot(groups[correct], rollouts[correct], "o", color=colour, markersize=5)
        ax.plot(groups[incorrect], rollouts[incorrect], "o", mfc="none", color=colour, markersize=5, label=label)
    ax.set_xlabel(f"64 groups at p = 0.2, filled where correct: {int((~informative).sum())} are degenerate")
    ax.set_ylabel("rollout")
    ax.set_yticks([])
    ax.legend(fontsize=9, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def slides() -> str:
    """The HTML of the slides."""
    critical = ", ".join(f"{rl.critical_pass_rate(g):.3f}" for g in (4, 8, 16, 32))
    parts = [
        ("Does a group of rollouts give a signal?", "<p>A model answers. A checker says 1 or 0. It learns from what differs inside a <b>group</b> of g answers to one "
         "prompt.</p><p>How much is that, when is it nothing, and what does it lead to?</p>"),
        ("A group", "<p>Advantage = reward - mean of the group. Correct answers go up, incorrect ones down. All equal: <b>degenerate</b>, "
         "and no gradient.</p>" + picture(wall, "64 groups of 8 rollouts at p = 0.2; degenerate ones in grey")),
        ("How much is in a group?", "<p>Predict: p = 0.3, g = 8. The variance of a coin is 0.21. Is the mean variance <i>inside</i> a group more, less, "
         "the same?</p>" + later("<p>Less: 0.184. E[v] = p(1-p) (g-1)/g</p>"
         + picture(lambda ax: plots.plot_variance((2, 8, 64), ax=ax), "Mean variance inside a group over the pass rate"))),
        ("Why: count the pairs", "<ol><li>A variance is half the mean squared difference over all g² ordered pairs.</li><li>Two different rollouts differ with "
         "chance 2p(1-p); then the square is 1.</li><li>g(g-1) of the g² pairs are of different rollouts.</li></ol><p>½ · 2p(1-p) · g(g-1)/g² = p(1-p) (g-1)/g</p>"),
        ("Degenerate groups", f"<p>D = p<sup>g</sup> + (1-p)<sup>g</sup>. Half of the groups are degenerate at p* = {critical} for g = 4, 8, 16, 32. "
         "Is p* a cliff?</p>" + later("<p>No: the signal there is still 30% of its most.</p>"
         + picture(misconceptions.cliff, "Signal and degenerate groups over the pass rate at g = 8"))),
        ("Does a larger group cure it?", "<p>One prompt at 0.1; prompts that differ; a quarter of the prompts impossible. Predict three curves.</p>"
         + later("<p>It does for one prompt, slowly for prompts that differ, never for impossible ones.</p>"
         + picture(misconceptions.larger_groups, "Degenerate groups over the group size for three kinds of prompts"))),
        ("Prompts differ", "<p>A log: mean reward 0.28, g = 8, 54% degenerate. The formula at 0.28: 7%. Who is wrong?</p>"
         + later("<p>Neither: the formula is for one prompt. At one mean, the more prompts differ, the more groups are degenerate.</p>"
         + picture(lambda ax: plots.plot_degenerate_groups({f"dispersion {rho}": rl.Beta(0.28, rho) for rho in (0.0, 0.3, 0.54)}, ax=ax),
                   "Degenerate groups over the group size at one mean and three dispersions"))),
        ("What does an estimator climb?", "<p>Every table of advantages pushes along w(p) · grad p. Predict GRPO's w as p goes to 0.</p>"
         + later("<p>Not to infinity: to sqrt(g-1), 2.65 at g = 8.</p>"
         + picture(lambda ax: plots.plot_weights(8, (rl.RLOO, rl.GRPO, rl.MAXRL), ax=ax), "Weights of RLOO, GRPO and MaxRL over the pass rate"))),
        ("What decides after RL", "<p>One start has pass@1 0.45 and dispersion 0.85, another 0.30 and 0.30. Which would you take? Predict both curves.</p>"
         + later("<p>Who starts ahead may end behind: <b>rank inversion</b>. Where it happens: the map in the explorer.</p>"
         + picture(misconceptions.ranking, "The forecast of pass@1 over the budget for two starts"))),
        ("To take home", "<ul><li>E[v] = p(1-p)(g-1)/g: most at 1/2, no cliff.</li><li>A mean of D is not D of a mean: ask how prompts differ.</li>"
         "<li>A larger g is a weak cure where prompts are extreme.</li><li>An estimator is its weight; GRPO's is symmetric and bounded.</li>"
         "<li>After RL counts how many prompts the budget reaches.</li></ul><p>Your own evaluation: <code>rlsignal diagnose FILE</code></p>"),
    ]  # fmt: skip
    body = "".join(
        f'<section id="s{n}"><h1>{title}</h1>{text}<footer>{n} / {len(parts)}</footer></section>'
        for n, (title, text) in enumerate(parts, 1)
    )
    return SLIDES.replace("BODY", body)


SLIDES = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Does a group of rollouts give a signal?</title>
<style>
  html { scroll-snap-type: y mandatory; } body { margin: 0; font: 3.6vmin/1.35 system-ui, sans-serif; color: #1b1b1b; }
  section { box-sizing: border-box; min-height: 100vh; padding: 4vmin 8vmin 8vmin; scroll-snap-align: start; position: relative; }
  h1 { font-size: 5.5vmin; margin: 0 0 2vmin; color: #00204d; }
  img { display: block; max-width: 100%; height: 55vh; margin: 1vmin auto; } p, li { margin: 1vmin 0; }
  summary { cursor: pointer; color: #00204d; } details[open] > summary { display: none; }
  footer { position: absolute; right: 4vmin; bottom: 3vmin; color: #6b6b6b; font-size: 2vmin; }
  nav { position: fixed; left: 2vmin; bottom: 2vmin; font-size: 15px; } nav a { color: #00204d; }
  @media (max-width: 600px) { body { font-size: 17px; } h1 { font-size: 25px; } html { scroll-snap-type: none; } section { min-height: 0; padding-bottom: 3em; } img { height: auto; } nav { position: static; padding: 1em; } }
  @page { size: A4 landscape; margin: 0; }
  @media print { body { font-size: 17pt; } h1 { font-size: 28pt; } section { height: 100vh; break-after: page; } nav { display: none; } }
</style></head><body>BODY<nav><a href="teaching.html">back</a></nav><script>
  const go = d => {
    const all = [...document.querySelectorAll("section")];
    const at = all.findIndex(s => s.getBoundingClientRect().bottom > innerHeight / 2);
    const closed = d > 0 && all[at].querySelector("details:not([open])");
    if (closed) closed.open = true;
    else all[Math.min(all.length - 1, Math.max(0, at + d))].scrollIntoView();
  };
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => { d.open = true; }));
  addEventListener("keydown", e => {
    const d = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 }[e.key];
    if (d) { e.preventDefault(); go(d); }
  });
</script></body></html>
"""

QUESTIONS = (
    ("A group of 2 rollouts at p = 0.3. With which chance do their rewards differ, and what is the variance when they do? "
     "So what is the mean variance?", 4),
    ("p = 0.1, g = 8. Which share of the groups is degenerate? Of 64 groups, how many give a gradient?", 4),
    ("Why are at least half of the groups of 2 degenerate, whatever p is?", 4),
    ("Two prompts have p = 0.01 and p = 0.55, so their mean is 0.28; g = 8. Which share of their groups is degenerate on "
     "average? Which would it be at p = 0.28?", 5),
    ("GRPO divides by the group's standard deviation. To which number does its weight go as p goes to 0, at g = 8?", 4),
    ("Open: start A has pass@1 of 0.45, half of its prompts never solved. Start B has 0.30, all prompts between 0.1 and 0.6. "
     "Which would you train, and what would you want to know first?", 6),
)  # fmt: skip


def worksheet() -> str:
    """The HTML of the worksheet: one A4 page with lines to write on."""
    items = "".join(f'<li>{question}<div style="height:{1.5 * lines}em"></div></li>' for question, lines in QUESTIONS)
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Worksheet: groups and their signal</title>
<style>
  @page {{ size: A4; margin: 14mm 18mm; }}
  body {{ font: 11pt/1.35 system-ui, sans-serif; max-width: 174mm; margin: 1rem auto; padding: 0 1rem; color: #1b1b1b; }}
  h1 {{ font-size: 15pt; margin: 0 0 .2em; }} li {{ margin-bottom: .5em; }} .name {{ float: right; }}
  div {{ background: repeating-linear-gradient(#0000 0 calc(1.5em - 1px), #bbb calc(1.5em - 1px) 1.5em);
        print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  @media print {{ body {{ margin: 0; padding: 0; }} }}
</style></head><body><p class="name">Name: ______________________</p><h1>Groups and their signal</h1>
<p>p: pass rate, g: group size. A group is degenerate if all of its rewards are equal.</p><ol>{items}</ol></body></html>
"""


def build(folder: Path) -> None:
    """Writes slides.html and worksheet.html."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slides.html").write_text(slides(), encoding="utf-8")
    (folder / "worksheet.html").write_text(worksheet(), encoding="utf-8")
