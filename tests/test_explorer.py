"""The explorer: one page that needs nothing else, whose numbers are the library's, moved in a real browser."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlsignal import Beta, advantage_variance, degenerate_probability
from rlsignal.theory.frameworks import MAXRL

ROOT = Path(__file__).parents[1]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorer")
    subprocess.run([sys.executable, str(ROOT / "docs" / "explorer.py"), str(folder)], check=True)
    return folder / "explorer.html"


def test_needs_no_network(page):
    text = page.read_text()
    assert not re.search(r"https?://|<link|@import|src=", text)
    assert "/*DATA*/" not in text


def test_holds_the_library_s_numbers(page):
    data = json.loads(re.search(r"const D = (\{.*\});", page.read_text())[1])
    i, j, k = data["p"].index(0.28), data["rho"].index(0.5), data["g"].index(8)
    assert data["degenerate"][k][j][i] == pytest.approx(degenerate_probability(Beta(0.28, 0.5), 8), abs=1e-5)
    assert data["signal"][k][j][i] == pytest.approx(advantage_variance(Beta(0.28, 0.5), 8), abs=1e-5)
    e = data["estimators"].index("MAXRL")
    assert data["weight"][e][k][i] == pytest.approx(MAXRL.weight(0.28, 8), abs=1e-5)


def test_every_control_is_labelled(page):
    text = page.read_text()
    controls = re.findall(r'<(?:input|select)[^>]* id="(\w+)"', text)
    assert set(controls) == {"p", "rho", "g", "estimator"}
    assert all(f'<label for="{name}"' in text for name in controls)
    assert text.count('role="img"') == 4


@pytest.mark.skipif(BROWSER is None, reason="needs Debian's chromium")
def test_a_slider_moves_the_numbers_in_a_browser(page, tmp_path):
    """Move three sliders and the list as a hand would; between two points of the grid too."""
    moves = """<script>
    for (const [id, value] of [["p", 0.37], ["rho", 0.54], ["g", 5], ["estimator", 4]]) {
      document.getElementById(id).value = value;
      document.getElementById(id).dispatchEvent(new Event("input", {bubbles: true}));
    }</script></body>"""
    moved = tmp_path / "moved.html"
    moved.write_text(page.read_text().replace("</body>", moves))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    shown = subprocess.run(
        [*command, "--dump-dom", moved.as_uri()], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    def read(name):
        return float(re.search(rf'id="{name}"[^>]*>([\d.]+)', shown)[1])

    law = Beta(0.37, 0.54)
    assert read("degenerate") == pytest.approx(100 * degenerate_probability(law, 32), abs=0.1)
    assert read("signal") == pytest.approx(advantage_variance(law, 32), abs=2e-4)
    assert read("weight") == pytest.approx(MAXRL.weight(0.37, 32), abs=2e-3)
    assert read("alike") == pytest.approx(100 * degenerate_probability(0.37, 32), abs=0.1)
