"""The built site, read as a reader's browser would: `make docs` runs this on docs/_build/html."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

SITE = Path(__file__).parent / "_build" / "html"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
PAGES = sorted(SITE.rglob("*.html"))

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(SITE).as_posix())


@cache
def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def ids(path):
    return {tag["id"] for tag in soup(path).find_all(id=True)}


def text_of(path):
    """What is read as text: without code, formulas and scripts."""
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    for tag in page.find_all(["script", "style", "pre", "code", "math"]):
        tag.decompose()
    return page.get_text(" ")


def test_the_site_is_there():
    names = {page.relative_to(SITE).as_posix() for page in PAGES}
    assert {
        "index.html",
        "theory.html",
        "explorer.html",
        "lessons/01_one_group.html",
        "reference/rlsignal.html",
    } <= names
    assert len(soup(SITE / "theory.html").find_all("math")) > 500
    assert not list(SITE.rglob("*mathjax*"))


@every_page
def test_no_markup_is_left_as_text(page):
    text = text_of(page)
    for stray in (r"\$\S", r"\\[a-z]{3,}", r":raises", r":param", r"\*\*", r"\]\(", r"(?<!\w)`", r"\{[a-z-]+\}`"):
        found = re.search(rf".{{0,30}}{stray}.{{0,30}}", text)
        assert not found, found[0]


@every_page
def test_every_picture_has_alt_text_and_a_caption(page):
    for picture in soup(page).select("article img"):
        assert len(picture.get("alt", "")) > 15, picture
        caption = picture.find_parent("figure").find("figcaption")
        assert len(caption.get_text().strip()) > 15, picture


@every_page
def test_every_link_leads_somewhere(page):
    for link in soup(page).find_all("a", href=True):
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc:
            assert parts.scheme in ("https", "mailto"), link
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.is_file(), link["href"]
        if "=" in parts.fragment:  # settings of the explorer
            assert set(re.findall(r"(\w+)=", parts.fragment)) <= ids(target) | {"view"}, link["href"]
        elif parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in ids(target), link["href"]


def asked_of_the_network(html, folder):
    """Whatever a page would load from elsewhere, in its tags and in the styles it names."""
    page = BeautifulSoup(html, "html.parser")
    names = [tag[key] for key in ("src", "srcset", "poster", "data") for tag in page.find_all(attrs={key: True})]
    styles = [tag["href"] for tag in page.find_all("link", href=True) if "canonical" not in tag.get("rel", ())]
    text = " ".join(tag.get_text() for tag in page.find_all("style"))
    for name in styles:
        path = folder / urlsplit(name).path
        text += path.read_text(encoding="utf-8") if path.suffix == ".css" and path.is_file() else ""
    names += styles + re.findall(r"url\(['\"]?([^)'\"]+)", text) + re.findall(r"@import ['\"]([^'\"]+)", text)
    return [name for name in names if re.match(r"(https?:)?//", name)]


@every_page
def test_a_page_asks_the_network_for_nothing(page):
    assert asked_of_the_network(page.read_text(encoding="utf-8"), page.parent) == []


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        "<style>@font-face { src: url(https://fonts.example/x.woff) }</style>",
    ],
)
def test_a_request_would_be_seen(html, tmp_path):
    assert asked_of_the_network(html, tmp_path)


def test_answers_wait_for_a_click():
    for page in sorted((SITE / "lessons").glob("*.html")):
        folded = soup(page).select("details.answer")
        assert [part for part in folded if "tag_solution" in str(part)], page
        assert [part for part in folded if "prediction" in part.summary.get_text()], page
        assert not any(part.has_attr("open") for part in folded)


@pytest.mark.parametrize("page", sorted((SITE / "lessons").glob("*.html")), ids=lambda path: path.stem)
def test_a_lesson_leads_to_what_it_rests_on(page):
    links = [link["href"] for link in soup(page).article.find_all("a", href=True)]
    count = {
        kind: sum(kind in link for link in links) for kind in ("theory.html#", "reference/", "glossary.html#term-")
    }
    assert min(count.values()) >= 2, count
    assert sum(count.values()) >= 10, count


def test_theory_and_reference_link_to_each_other():
    assert "reference/rlsignal.html#ref-advantage-variance" in str(soup(SITE / "theory.html"))
    assert "../theory.html#v1" in str(soup(SITE / "reference" / "rlsignal.html"))


@pytest.mark.skipif(BROWSER is None, reason="needs Debian's chromium")
def test_no_page_is_wider_than_a_phone(tmp_path):
    """Each page in a frame of 390 pixels; the widths come back in the title of the page that holds the frames."""
    frames = "".join(f'<iframe width="390" height="844" src="{page.as_uri()}"></iframe>' for page in PAGES)
    holder = tmp_path / "holder.html"
    holder.write_text(
        f"""<body>{frames}<script>onload = () => document.body.innerHTML = [...document.querySelectorAll("iframe")].map(
        f => f.contentDocument.documentElement.scrollWidth).join(" ");</script></body>"""
    )
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", holder.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    widths = [int(x) for x in re.search(r"<body>([\d ]+)</body>", shown)[1].split()]
    wide = {page.name: width for page, width in zip(PAGES, widths, strict=True) if width > 390}
    assert not wide
