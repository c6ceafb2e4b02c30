"""The page: everything in it, nothing from elsewhere, and nothing of the data that a browser would run."""

import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest

from rlsignal import compare, diagnose
from rlsignal.plots import page as writer

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$\\frac{1}$", "a\nb & c", "\ud800\u202e]]>"]


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def parsed(page):
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture(scope="module")
def page():
    rows = {
        "prompt": HOSTILE * 12,
        "n": [8] * 60,
        "c": [0, 1, 4, 7, 8] * 12,
        "checkpoint": [x for x in range(12) for _ in HOSTILE],
    }
    named = {name: {"prompt": HOSTILE, "n": [8] * 5, "c": [0, 1, 4, 7, 8 - i]} for i, name in enumerate(HOSTILE)}
    found = writer.html(diagnose(rows, checkpoint=0), compare(named), source=HOSTILE[0])
    found.encode()  # a lone surrogate in a name could not be written
    yield found
    plt.close("all")


def test_hostile_names_are_words_and_nothing_else(page):
    reader = parsed(page)
    assert set(reader.tags) <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "p",
        "ol",
        "ul",
        "li",
        "section",
        "table",
        "tr",
        "th",
        "td",
        "img",
    }
    assert not any(name.startswith("on") for name, _ in reader.attributes)
    assert any(HOSTILE[0] in text for text in reader.text)


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.search(r"https?:|//[a-z]", re.sub(r'src="data:[^"]*"', "", page))
    assert all(value.startswith("data:image/png;base64,") for name, value in parsed(page).attributes if name == "src")


def test_pictures_have_words(page):
    assert sum(name == "alt" and len(value) > 20 for name, value in parsed(page).attributes) == 2


def test_figures_are_the_result_s():
    found = diagnose([[0, 1, 1, 0], [0, 0, 0, 0]] * 30, 4)
    text = " ".join(parsed(writer.html(found)).text)
    assert f"{found.chosen.degenerate.value:.3f}" in text
    assert found.findings[0].text in text
    plt.close("all")
