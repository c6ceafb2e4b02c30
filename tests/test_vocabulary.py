"""One vocabulary: the field's terms in code, documents, lessons and tests; the glossary may name the others."""

import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EVERYWHERE = ("rlsignal", "experiments", "benchmarks", "tests", "docs", "notebooks")
DOCUMENTS = ("docs", "notebooks", "README.md", "CONTRIBUTING.md")
MADE = ("docs/lessons", "docs/pictures", "docs/reference/", "docs/gallery.md", "docs/explorer/")
EXEMPT = {"docs/glossary.md", "tests/test_vocabulary.py"}

TERMS = {  # what is not said -> what is, and where the rule holds
    r"\bdead (groups?|share|fraction|prompts?)\b|\bgroups? (is|are|go|goes|turn|turns) dead\b|_dead\b|\bdead_": (
        "degenerate group",
        EVERYWHERE,
    ),
    r"\bunanimous\b|\bagreeing groups?\b": ("degenerate group", EVERYWHERE),
    r"\b(live|teaching) groups?\b|\bmixed (groups?|ones)\b|\bgroups? (that|which) teach\b|\bmixed_groups?\b": (
        "informative group",
        EVERYWHERE,
    ),
    r"\b(right|wrong) (rollouts?|responses?|samples?|ones)\b|\bright or wrong\b|\bright and wrong\b": (
        "correct or incorrect",
        EVERYWHERE,
    ),
    r"\blaws? of (K|p|pass rates?)\b|\b(Beta|fitted|binomial|beta-binomial) laws?\b|\b(any|every|all|no) laws?\b": (
        "distribution, or pmf",
        EVERYWHERE,
    ),
    r"(?<!')\bspread(s|ing)?\b(?!')": ("dispersion, standard deviation, variance or range", EVERYWHERE),
    r"\btold\b|\bforet(ell|ells|old)\b|\b(by|of) (its|their) manners\b": ("estimated, reported, predicted", EVERYWHERE),
    r"\bsaid\b|\bwas met\b|\bis met\b": ("reported, found", DOCUMENTS),
    r"\brungs?\b|\bRungs\b|\bCourse\b|\bClimb(ed)?\b": ("checkpoint, task, train", EVERYWHERE),
    r"\brescues?d?\b|\bRescue[dr]?\b": ("mitigation", EVERYWHERE),
    r"\btwins?\b|\bTwins?\b": ("matched starts", EVERYWHERE),
    r"\bcause and shadow\b|\bthe shadow\b": ("cause and confounder", EVERYWHERE),
    r"\bsame_rewards\b|\bfall_evidence\b|\bmisfit_p\b|\bverdict_\w+|\bkept_law\b|\bunfilled_probability\b": (
        "compare_estimators, log_e_process, goodness_of_fit_p, noisy_*, accepted_pmf, shortfall_probability",
        EVERYWHERE,
    ),
    r"\b(the|this|our|new|first) house\b|\brooms?\b|\b(its own|first|second|each) floors?\b": (
        "package, module, layer",
        DOCUMENTS,
    ),
}


def texts(places):
    """Every text of the project below these places, by its name in the project."""
    for place in places:
        path = ROOT / place
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            name = file.relative_to(ROOT).as_posix()
            made = file.suffix == ".ipynb" or "_build" in name or name.startswith(MADE)
            if file.suffix in {".py", ".md", ".html"} and not made and name not in EXEMPT:
                yield name, file.read_text(encoding="utf-8")


def found(pattern, text):
    """(line, words) wherever the pattern stands."""
    return [
        (number, match[0]) for number, line in enumerate(text.splitlines(), 1) for match in re.finditer(pattern, line)
    ]


@pytest.mark.parametrize("pattern", TERMS)
def test_the_field_s_term_is_used(pattern):
    term, places = TERMS[pattern]
    seen = [f"{name}:{line}: {words!r}" for name, text in texts(places) for line, words in found(pattern, text)]
    assert not seen, f"say {term}:\n" + "\n".join(seen)


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("67% of the dead groups", "dead groups"),
        ("an unanimous group", "unanimous"),
        ("21 groups that teach", "groups that teach"),
        ("a wrong rollout", "wrong rollout"),
        ("the law of K", "law of K"),
        ("the spread of pass rates", "spread"),
        ("as foretold", "foretold"),
        ("the deepest rung", "rung"),
    ],
)
def test_it_is_seen(sentence, words):
    assert words in [match for pattern in TERMS for _, match in found(pattern, sentence)]


def test_the_walk_reads_the_project():
    names = {name for name, _ in texts((*EVERYWHERE, *DOCUMENTS))}
    assert {"README.md", "docs/theory.md", "rlsignal/theory/signal.py", "notebooks/01_one_group.py"} <= names


def test_rollouts_of_a_prompt_are_g_in_a_formula_and_group_size_in_a_setting():
    """docs/architecture.md, "Names"."""
    from rlsignal import estimators, inference, proofs, theory
    from rlsignal.diagnosis import compare, diagnose, group_size, prompts, track

    def parameters(*modules):
        for module in modules:
            for name, value in vars(module).items():
                if inspect.isfunction(value) and not name.startswith("_"):
                    yield from ((f"{module.__name__}.{name}", x) for x in inspect.signature(value).parameters)

    assert not [where for where, x in parameters(theory, inference, proofs, estimators) if x == "group_size"]
    asked = {"diagnose", "compare", "track", "recommend_group_size", "list_prompts"}
    names = [(where.rpartition(".")[2], x) for where, x in parameters(diagnose, compare, track, group_size, prompts)]
    assert {where for where, x in names if x == "group_size"} >= asked - {"recommend_group_size"}
    assert not [where for where, x in names if x == "g" and where in asked]
