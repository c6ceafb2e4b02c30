"""Whatever rows say, in whatever format they stand: counted as a plain tally counts them, or refused in words."""

import csv
import io
import json
from collections import Counter

import pytest

from rlsignal import read

pytestmark = pytest.mark.slow

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is missing: pip install '.[test]'")
st = hypothesis.strategies

words = st.text("ab,\"'\\\n é☃{[", min_size=1).filter(
    lambda x: x.strip() and x.strip().lower() not in ("nan", "none", "null", "na")
)
rollouts = st.lists(st.tuples(st.integers(0, 3), words, st.integers(0, 1)), min_size=1, max_size=40)
settings = hypothesis.settings(deadline=None, derandomize=True, max_examples=150, database=None)


def as_csv(rows):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["step", "prompt", "reward"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


FORMATS = {
    "rows.jsonl": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "rows.json": json.dumps,
    "rows.csv": as_csv,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_counted_as_a_plain_tally_counts(name, tmp_path):
    @settings
    @hypothesis.given(rollouts)
    def holds(drawn):
        rows = [{"step": step, "prompt": prompt, "reward": reward} for step, prompt, reward in drawn]
        path = tmp_path / name
        path.write_text(FORMATS[name](rows), encoding="utf-8", newline="")
        data = read(path)
        drawn_n, right = Counter(), Counter()
        for step, prompt, reward in drawn:
            drawn_n[step, prompt] += 1
            right[step, prompt] += reward
        entries = list(zip(data.step.astype(int).tolist(), data.prompt, strict=True))
        assert dict(zip(entries, data.samples.tolist(), strict=True)) == dict(drawn_n)
        assert dict(zip(entries, data.correct.tolist(), strict=True)) == {key: right[key] for key in drawn_n}

    holds()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["prompt", "reward", "n", "c", "step", "loss", "x", "score"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("name", ["any.json", "any.jsonl"])
def test_any_json_is_read_or_refused_in_words(name, tmp_path):
    @settings
    @hypothesis.given(values)
    def holds(value):
        path = tmp_path / name
        path.write_text(json.dumps(value) + "\n")
        _read_or_refused(path)

    holds()


def test_any_bytes_are_read_or_refused_in_words(tmp_path):
    @settings
    @hypothesis.given(
        st.sampled_from([b"", b"PAR1", b"\x93NUMPY", b"PK\x03\x04", b"\x1f\x8b", b"[", b"{"]), st.binary()
    )
    def holds(start, rest):
        path = tmp_path / "any.dat"
        path.write_bytes(start + rest)
        _read_or_refused(path)

    holds()


def _read_or_refused(path):
    try:
        read(path)
    except (ValueError, ModuleNotFoundError) as error:
        kind, said = type(error), str(error)
    else:
        return
    assert kind in (ValueError, ModuleNotFoundError)
    assert said.endswith((".", "="))
