"""What the documents show is what the library answers, and what docstrings cite is there."""

import ast
import doctest
import importlib
import importlib.util
import inspect
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.special import betaincinv

from rlsignal import GRPO, Beta
from rlsignal.__main__ import main
from rlsignal.proofs.claims import CLAIMS
from rlsignal.proofs.derivations import PROOFS
from rlsignal.theory import budget_to_flip, reachable_pass_rate

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ANCHOR = re.compile(r'<a id="([A-Z]\d+)"></a>\n#+ \1\. ')
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def python_blocks(page: str) -> str:
    """The page with all but its ```python blocks blanked, so that a failure still names its line."""
    inside, lines = False, []
    for line in page.splitlines():
        fence = line.strip().startswith("```")
        lines.append(line if inside and not fence else "")
        inside = line.strip() == "```python" if fence and not inside else inside and not fence
    return "\n".join(lines) + "\n"


def cited(text: str) -> set[str]:
    """Labels such as V1 that a docstring cites: after docs/theory.md, or in brackets."""
    after_the_page = re.findall(r"docs/theory\.md \(([^)]*)\)", text)
    in_brackets = re.findall(rf"\(((?:[{FAMILIES}]\d+)(?:, [{FAMILIES}]\d+)*)\)", text)
    return {label for group in after_the_page + in_brackets for label in re.findall(r"\b[A-Z]\d+\b", group)}


def docstrings(path: Path) -> str:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return "\n".join(ast.get_docstring(node) or "" for node in nodes if isinstance(node, documented))


ANCHORS = ANCHOR.findall((ROOT / "docs" / "theory.md").read_text(encoding="utf-8"))
FAMILIES = "".join(sorted({label[0] for label in ANCHORS}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_on_the_page_runs(page, request, monkeypatch, tmp_path):
    blocks = python_blocks(page.read_text(encoding="utf-8"))
    if '"map/' in blocks:  # as after `rlsignal map`
        (tmp_path / "map").symlink_to(Path(request.getfixturevalue("mapped")["files"][0]).parent)
        monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(blocks, {}, page.name, str(page), 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_is_there_and_small(page):
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / name).stat().st_size < 1_500_000, name


def test_a_wrong_example_would_be_seen():
    blocks = python_blocks("Text\n```python\n>>> 1 + 1\n3\n```\n```text\n>>> not run\n```\n")
    test = doctest.DocTestParser().get_doctest(blocks, {}, "page", "page", 0)
    assert len(test.examples) == 1
    assert doctest.DocTestRunner().run(test, out=lambda _: None).failed == 1


def test_the_readme_shows_what_the_command_prints(capsys):
    page = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    at = next(i for i, line in enumerate(page) if line.startswith("    $ rlsignal diagnose docs/"))
    shown = "\n".join(line.strip() for line in page[at + 1 : page.index("    ...", at)])
    assert main(["diagnose", str(ROOT / "docs" / "evaluation.jsonl")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert all(" ".join(line.split()) in printed for line in shown.splitlines())


def test_every_label_stands_once():
    assert ANCHORS
    assert not [label for label, times in Counter(ANCHORS).items() if times > 1]


@pytest.mark.parametrize("path", sorted((ROOT / "rlsignal").rglob("*.py")), ids=lambda path: path.name)
def test_every_cited_label_has_an_anchor(path):
    assert cited(docstrings(path)) <= set(ANCHORS)


def test_citations_are_found_however_they_are_written():
    assert cited("derived in docs/theory.md (V1, V4).") == {"V1", "V4"}
    assert cited("docs/theory.md (D1), for Beta populations (D3).") == {"D1", "D3"}
    assert cited("Source: docs/theory.md (Z9, the early regime).") == {"Z9"}
    assert cited("over (H0, p0), R^2 of (x)") == set()


def test_proofs_and_claims_are_of_entries():
    assert {proof().label for proof in PROOFS} | {claim.label for claim in CLAIMS} <= set(ANCHORS)


def test_every_entry_names_its_source_and_what_it_does_not_say():
    page = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    entries = dict(zip(ANCHORS, re.split(r'<a id="\w+"></a>', page)[1:], strict=True))
    assert not [label for label, text in entries.items() if not re.search(r"\*Source:\*", text)]
    assert not [label for label, text in entries.items() if not re.search(r"\*Not\s+claimed:\*", text)]


def test_links_within_the_theory_lead_somewhere():
    page = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= set(ANCHORS)


def test_generated_pages_are_what_the_library_computes():
    """`python docs/generate.py` writes them anew."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    for name, page in pages.PAGES.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), name


def test_every_paper_that_is_cited_is_a_reference():
    known = json.loads((ROOT / "docs" / "references.json").read_text(encoding="utf-8"))
    texts = [path for path in PAGES if path.name != "references.md"] + sorted((ROOT / "rlsignal").rglob("*.py"))
    numbers = {x for path in texts for x in re.findall(r"\b\d{4}\.\d{5}\b", path.read_text(encoding="utf-8"))}
    papers = {x for x in numbers if int(x[2:4]) <= 12}
    assert papers == set(known)


def test_questions_are_answered_in_three_sentences_under_an_entry():
    asked = [x for x in json.loads((ROOT / "docs" / "questions.json").read_text(encoding="utf-8")) if "question" in x]
    assert len(asked) >= 30
    assert len({x["question"] for x in asked}) == len(asked)
    for x in asked:
        assert len(re.findall(r"[.?!](?:\s|$)", x["answer"])) == 3, x["question"]
        assert x["see"] in ANCHORS
        assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", x["where"])


@pytest.mark.parametrize("room", ["rlsignal", "rlsignal.sim", "rlsignal.plots"])
def test_every_public_function_has_an_executed_example(room):
    module = importlib.import_module(room)
    functions = [x for x in (getattr(module, name) for name in module.__all__) if inspect.isfunction(x)]
    assert len(functions) > 10
    assert [x.__name__ for x in functions if ">>>" not in inspect.getdoc(x)] == []


class TestInversionPage:
    """The page's figures are those of the map that `python -m experiments.evidence inversion` made."""

    PAGE = (ROOT / "docs" / "inversion.md").read_text(encoding="utf-8")
    MADE = json.loads((ROOT / "docs" / "evidence" / "inversion.json").read_text(encoding="utf-8"))

    def test_shares_noise_and_the_worth_of_a_nat(self):
        rows = re.findall(
            r"^\| (\d+) \| (\d+)% \((\d+)%\) \| (\d+)% \((\d+)%\) \| ([\d.]+) \| ([\d.]+) pass@1 \|$", self.PAGE, re.M
        )
        assert [int(row[0]) for row in rows] == self.MADE["group_sizes"]
        for i, (_, *shown) in enumerate(rows):
            field, drawn = self.MADE["inverted_share_by_budget"][i], self.MADE["sampled_share_by_budget"][i]
            made = [f"{x:.0%}"[:-1] for x in (field[0], drawn[0], field[1], drawn[1])]
            assert shown == [*made, f"{self.MADE['noise_by_size'][i]:.3f}", f"{self.MADE['worth'][i]:.2f}"]

    @pytest.mark.parametrize("name", ["entropy", "dispersion", "reach", "natural gradient"])
    def test_controls(self, name):
        first, last = self.MADE["outcomes"][name]
        mean = self.MADE["controls"][name]["effect"]["estimate"]
        effect = f"{mean:+.3f}" if abs(mean) >= 5e-4 else "0.000"
        assert f"| {first:.3f} to {last:.3f} | {effect}" in self.PAGE

    def test_entropy_inside_the_classes_at_other_starts(self):
        made = json.loads((ROOT / "docs" / "evidence" / "entropy_inside.json").read_text(encoding="utf-8"))
        for x in made["starts"]:
            value, low, high = (f"{x['sampled']['effect'][name]:+.3f}" for name in ("estimate", "low", "high"))
            sizes = f"| {x['mean']:g} | {x['dispersion']:g} | {x['correct']} of {x['responses']} | {x['steps']} |"
            after = " to ".join(f"{y:.3f}" for y in x["sampled"]["after"])
            field, law = x["mean field"]["effect"]["estimate"], x["law"][1] - x["law"][0]
            assert f"{sizes} {after} | {value} [{low}, {high}] | {field:+.3f} | {law:+.3f} |" in self.PAGE
            assert x["miss"] < 3e-7
        most = min(x["sampled"]["effect"]["estimate"] for x in made["starts"])
        assert f"it costs up to {-most:.2f})" in " ".join(self.PAGE.split())

    def test_the_boundary_s_errors(self):
        made = json.loads((ROOT / "docs" / "evidence" / "boundary.json").read_text(encoding="utf-8"))
        words = " ".join(self.PAGE.split())
        long, short = made["budgets"]
        assert f"put at its mean, {made['collision']:.2f}. Its rms error is {long['rms']:.3f}" in words
        assert f"never wrong by more than {long['largest']:.3f}. Of the {long['pairs']:,} pairs" in words
        assert f"{long['inverted']:,} are inverted, and the law orders {long['wrong']:,} pairs wrongly." in words
        assert f"{short['rms']:.3f}, and of {short['pairs']:,} pairs it orders {short['wrong']:,} wrongly" in words
        critical = reachable_pass_rate(8, GRPO, budget=400, collision=made["collision"])
        pair = Beta(0.4, 0.8), Beta(0.3, 0.3)
        sizes = [(start, 1 / start.dispersion - 1) for start in pair]
        sixty = [betaincinv(x.mean * n, (1 - x.mean) * n, (np.arange(60) + 0.5) / 60) for x, n in sizes]
        below = [int((p < critical).sum()) for p in sixty]
        assert f"below p_c of 400 steps: {below[0]} of A's sixty, and {below[1]} of B's." in words
        turns = int(np.ceil(budget_to_flip(*pair, 8, GRPO, collision=made["collision"])))
        assert f"A lies in it from step {turns} on" in words
        assert f"over the {made['starts']} starts is {long['forecast']:.3f} after {long['steps']} steps" in words

    def test_what_the_law_and_the_mean_field_miss(self):
        words = " ".join(self.PAGE.split())
        made = json.loads((ROOT / "docs" / "evidence" / "settings.json").read_text(encoding="utf-8"))
        under = {row["setting"]: row for row in made["map"]["rows"]}["pass@4 training"]
        assert f"Trained for pass@4 it is {under['law_error']:.3f}" in words
        assert f"differ by at most {self.MADE['mean_field_error']['max']:.3f}" in words
        assert f"explains {self.MADE['explained']['entropy']:.0%} of the variance" in words
        assert f"in pass@1 and dispersion, {self.MADE['explained']['dispersion']:.0%}." in words


def test_prose_written_by_hand_keeps_the_width_of_code():
    """120 characters; tables, code and formulas have the width that they need."""
    computed = re.findall(r'^    "([\w-]+\.md)": \w+,$', (ROOT / "docs" / "generate.py").read_text("utf-8"), re.M)
    assert len(computed) > 10
    computed += ["gallery.md", "misconceptions.md"]  # made when the site is built
    for page in (page for page in PAGES if page.name not in computed):
        fenced = formula = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            fenced ^= line.lstrip().startswith("```")
            formula ^= line.count("$$") == 1
            kept = re.sub(r"\$[^$]*\$|`[^`]*`|\]\([^)]*\)", "", line)  # the rest cannot be broken
            wide = len(kept) > 120 and not re.match(r"\s*(\||<|!\[|#|>|\$\$)|    ", line)
            assert fenced or formula or not wide, f"{page.name}:{number}"
