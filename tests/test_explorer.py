"""The explorer: one page that needs nothing else, whose numbers are the library's, moved in a real browser."""

import json
import random
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import rlsignal as rl
from rlsignal import Beta, advantage_variance, degenerate_probability
from rlsignal.estimators import DR_GRPO, GRPO, GRPO_NEMO, MAXRL, RLOO

ROOT = Path(__file__).parents[1]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
ESTIMATORS = (RLOO, DR_GRPO, GRPO, GRPO_NEMO, MAXRL)
SIZES = (2, 3, 4, 8, 16, 32, 64)

in_a_browser = pytest.mark.skipif(BROWSER is None, reason="needs Debian's chromium: apt install chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorer")
    subprocess.run([sys.executable, str(ROOT / "docs" / "explorer.py"), str(folder)], check=True)
    return folder / "explorer.html"


@pytest.fixture(scope="module")
def data(page):
    return json.loads(re.search(r"const D = (\{.*\});", page.read_text())[1])


def run(page, folder, script):
    """What the script returns after the page has loaded, as JSON."""
    moves = f"<script>document.body.innerHTML = JSON.stringify((() => {{{script}}})());</script></body>"
    moved = folder / "moved.html"
    moved.write_text(page.read_text().replace("</body>", moves))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--window-size=1280,720", "--dump-dom", moved.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return json.loads(unescape(re.search(r"<body>(.*)</body>", shown, re.S)[1]))


def test_needs_no_network(page):
    text = page.read_text()
    assert not re.search(r"https?://|<link|@import|src=", text)
    assert "/*DATA*/" not in text
    assert len(text) < 200_000


def test_the_map_is_the_forecast(data):
    """Each cell against the library's own quadrature; the share in reach against the Beta's tail."""
    for T, rho, mean in ((0, 10, 8), (1, 3, 1), (2, 19, 17), (1, 0, 5)):
        start = Beta(data["means"][mean], data["dispersions"][rho])
        ended = rl.theory.forecast(start, 8, GRPO, budget=float(data["budgets"][T]))
        assert data["map"][T][rho][mean] == pytest.approx(ended, abs=2e-3)
        assert abs(data["share"][T][rho][mean] - ended) < 0.06  # the law of lesson 6


def test_every_control_is_labelled(page):
    text = page.read_text()
    controls = re.findall(r'<(?:input|select)[^>]* id="([\w-]+)"', text)
    assert set(controls) == {"p", "rho", "g", "estimator", "other", "budget", "t"}
    assert all(f'<label for="{name}"' in text for name in controls)
    assert text.count('role="img"') == 7
    assert text.count("<details>") == text.count("<details><summary>Answer") == 4  # closed until asked


@in_a_browser
def test_twenty_settings_show_the_library_s_numbers(page, tmp_path):
    draws = random.Random(0)
    settings = []
    for e in (0, 1, 2, 3, 4) * 4:
        p, rho = round(draws.uniform(0.02, 0.98), 2), round(5 * draws.randrange(200) / 1000, 3)
        settings.append((p, rho, draws.randrange(7), e, draws.randrange(5)))
    names = ("signal", "degenerate", "alike", "weight", "weight-other", "objective", "objective-other")
    found = run(
        page,
        tmp_path,
        f"""return {json.dumps(settings)}.map(values => {{
          ["p", "rho", "g", "estimator", "other"].forEach((id, i) => {{
            document.getElementById(id).value = values[i];
            document.getElementById(id).dispatchEvent(new Event("input", {{bubbles: true}}));
          }});
          return {json.dumps(names)}.map(id => parseFloat(document.getElementById(id).textContent));
        }});""",
    )
    assert len(found) == 20
    for (p, rho, k, e, o), shown in zip(settings, found, strict=True):
        prompts, g = Beta(p, rho), SIZES[k]
        signal, degenerate, alike, weight, other, objective, beside = shown
        assert signal == pytest.approx(advantage_variance(prompts, g), abs=6e-5)
        assert degenerate == pytest.approx(100 * degenerate_probability(prompts, g), abs=0.06)
        assert alike == pytest.approx(100 * degenerate_probability(p, g), abs=0.06)
        for estimator, w, h in ((ESTIMATORS[e], weight, objective), (ESTIMATORS[o], other, beside)):
            assert w == pytest.approx(estimator.weight(prompts, g), abs=6e-4)
            assert h == pytest.approx(estimator.objective(prompts, g) / estimator.objective(1.0, g), abs=6e-4)


@in_a_browser
def test_address_keyboard_hover_and_reset(page, tmp_path):
    found = run(
        page,
        tmp_path,
        """
        const at = id => document.getElementById(id), shown = {};
        location.hash = "p=0.4&rho=0.85&view=training&b=0.3,0.3&t=40&g=junk";  // as a link would open it
        read(); draw();
        shown.opened = [at("p").value, at("rho").value, at("g").value, at("v-training").hidden, at("t").value];
        shown.words = at("map-words").textContent;
        shown.address = location.hash;
        at("c-map").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", cancelable: true }));
        at("c-map").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", cancelable: true }));
        shown.moved = [at("p").value, at("rho").value];
        const box = at("c-map").getBoundingClientRect();
        at("c-map").dispatchEvent(new PointerEvent("pointermove", {
          clientX: box.left + box.width * 0.5, clientY: box.top + box.height * 0.5 }));
        shown.hovered = at("map-words").textContent;
        at("reset").click();
        shown.reset = [at("p").value, at("rho").value, at("v-signal").hidden, location.hash];
        return shown;""",
    )
    assert found["opened"] == ["0.4", "0.85", "3", False, "13"]
    ended = rl.theory.forecast(Beta(0.4, 0.85), 8, GRPO, budget=100.0)
    assert f"A: start 0.40, dispersion 0.85: ends at {ended:.2f}" in found["words"]
    assert "The order turns." in found["words"]
    assert found["address"] == "#p=0.4&rho=0.85&t=13&view=training&b=0.3%2C0.3"
    assert found["moved"] == ["0.42", "0.8"]
    assert re.match(r"Here: start 0\.\d\d, dispersion 0\.\d\d: ends at 0\.\d\d; \d+% of its prompts", found["hovered"])
    assert found["reset"] == ["0.28", "0", False, ""]
