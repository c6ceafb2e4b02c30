"""Damage files of every format at random: reading gives counts that account for every row, or an error of its own.

python benchmarks/mutate.py 20000
"""

import csv
import gzip
import io
import json
import random
import signal
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from rlsignal.data.read import read
from rlsignal.data.records import Rollouts, TrainingLog

NASTY = (
    *(b"-1", b"NaN", b"null", b"", b"1e999", b"0.37", b"2", b"true", b'"1"', b"[1, 0]", b"{}", b"9" * 5000, b"\xff"),
    *(b"\x00", b'"', b"\\", b"\n", b",", b"[" * 3000, b"\xef\xbb\xbf", b"\\ud83d", b"-Infinity", b"1.0000001", b"]"),
)


def samples(chance: random.Random) -> dict[str, bytes]:
    """One small sound file of every format."""
    rollouts = [
        {"prompt": f"p{i % 5}", "reward": int(chance.random() < 0.4), "step": 1 + i // 20, "text": 'a,"b"\nc'}
        for i in range(40)
    ]
    log = [{"step": s, "reward": chance.randint(0, 8) / 8, "entropy": chance.random(), "loss": 0.1} for s in range(12)]
    matrix = np.array([[chance.randint(0, 1) for _ in range(4)] for _ in range(6)])
    arrays, packed = io.BytesIO(), io.BytesIO()
    np.save(arrays, matrix)
    np.savez(packed, prompt=np.arange(20) % 4, reward=matrix.ravel()[:20])
    lines = "".join(json.dumps(row) + "\n" for row in rollouts).encode()
    visits = {f"p{i}": [chance.randint(0, 8) / 8 for _ in range(3)] for i in range(9)}
    return {
        "rollouts.jsonl": lines,
        "rollouts.jsonl.gz": gzip.compress(lines, mtime=0),
        "rollouts.json": json.dumps(rollouts, indent=1).encode(),
        "rollouts.csv": _as_csv(rollouts),
        "counts.csv": _as_csv([{"prompt": f"p{i}", "n": 8, "c": chance.randint(0, 8)} for i in range(9)]),
        "lists.json": json.dumps({f"p{i}": row for i, row in enumerate(matrix.tolist())}).encode(),
        "visits.json": json.dumps(visits).encode(),
        "log.csv": _as_csv(log),
        "trainer_state.json": json.dumps({"log_history": log, "global_step": 11}, indent=2).encode(),
        "verl.log": "".join(
            f"(pid=1) step:{row['step']} - critic/score/mean:{row['reward']} - actor/entropy:0.5\n" for row in log
        ).encode(),
        "matrix.npy": arrays.getvalue(),
        "columns.npz": packed.getvalue(),
    }


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Content with one or two wounds: bits, bytes, cuts, slices and lines moved, cells made nasty."""
    for _ in range(chance.randint(1, 2)):
        a, b = sorted(chance.randrange(len(content) + 1) for _ in range(2))
        lines = content.split(b"\n")
        i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
        content = chance.choice(
            (
                content[:a] + bytes([chance.randrange(256)]) + content[a + 1 :],
                content[:a] + chance.choice(NASTY) + content[a:],
                content[:a],
                content[:a] + content[min(b, a + 30) :],
                content[:b] + content[a : min(b, a + 200)] + content[b:],
                b"\n".join([*lines[:i], lines[j], *lines[i:]]),
                b"\n".join(lines[:i] + lines[i + 1 :]),
                _nasty_cell(content, chance),
            )
        )
    return content or b" "


REWARDS = ("score", "Is Correct", "passed", "accuracy", "result", "train/reward", "zz", "answer", "rewards", "verdict")
PROMPTS = ("question", "id", "idx", "task_id", "Problem ID", "input", "example", "zz", "key", "uuid", "source", "name")


def restructured(chance: random.Random) -> tuple[str, bytes, list[Any]]:
    """Sound rows of another shape: columns permuted or renamed, rows doubled, values nested; and what they count."""
    kind = chance.choice(("rollouts", "counts", "log"))
    prompts, n = chance.randint(2, 6), chance.randint(2, 6)
    if kind == "rollouts":
        rows = [{"prompt": f"p{i % prompts}", "reward": chance.randint(0, 1)} for i in range(prompts * n)]
        chance.shuffle(rows)
    elif kind == "counts":
        rows = [{"prompt": f"p{i}", "n": n, "c": chance.randint(0, n)} for i in range(prompts)]
    else:
        rows = [{"step": s, "reward": chance.randint(0, 8) / 8, "loss": 0.1, "entropy": 0.5} for s in range(12)]
    if chance.random() < 0.4:
        extra = chance.choice(("seed", "epoch", "source", "temperature", "gts", "text", "is_truncated", "level"))
        rows = [{**row, extra: chance.choice((1, "x", 0))} if extra != "seed" else {**row, extra: 7} for row in rows]
        if extra not in ("temperature", "gts", "text", "is_truncated", "level"):
            rows = [{**row, extra: rows[0][extra]} for row in rows]
    if chance.random() < 0.3:
        rows += [dict(chance.choice(rows)) for _ in range(chance.randint(1, 3))]
    right = _counted(kind, rows)
    names = list(rows[0])
    if chance.random() < 0.5:
        chance.shuffle(names)
        rows = [{name: row[name] for name in names} for row in rows]
    if chance.random() < 0.5 and kind == "rollouts":
        new = {"reward": chance.choice(REWARDS), "prompt": chance.choice(PROMPTS)}
        rows = [{new.get(name, name): x for name, x in row.items()} for row in rows]
    shape = chance.choice(("lines", "list", "csv", "results", "deep", "cell", "row", "columns"))
    if shape == "csv":
        return "shaped.csv", _as_csv(rows), right
    if shape == "cell":
        name = chance.choice(list(rows[0]))
        rows = [{**row, name: {"value": row[name]}} for row in rows]
    if shape == "row":
        rows = [{"item": row, "note": "n"} for row in rows]
    whole: Any = {
        "results": {"accuracy": 0.5, "results": rows},
        "deep": {"run": {"name": "a", "evaluation": {"rows": rows, "mean": 0.2}}},
        "columns": {name: [row[name] for row in rows] for name in rows[0]} if shape == "columns" else None,
    }.get(shape, rows)
    if shape in ("lines", "cell", "row"):
        return "shaped.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode(), right
    return "shaped.json", json.dumps(whole).encode(), right


def _counted(kind: str, rows: list[dict[str, Any]]) -> list[Any]:
    """What rows count, by the plainest tally there is: (correct, samples) of every prompt, or the means of a log."""
    if kind == "log":
        latest: dict[Any, float] = {}
        for i, row in enumerate(rows):
            if all(later["step"] > row["step"] for later in rows[i + 1 :]):
                latest[row["step"]] = row["reward"]
        return [latest[step] for step in sorted(latest)]
    counts: dict[Any, list[int]] = {}
    for row in rows:
        entry = counts.setdefault(row["prompt"], [0, 0])
        entry[0] += row.get("reward", row.get("c"))
        entry[1] += 1 if kind == "rollouts" else row["n"]
    return sorted(map(tuple, counts.values()))


def _of_result(result: Rollouts | TrainingLog) -> list[Any]:
    if isinstance(result, TrainingLog):
        return result.latest.reward.tolist()
    return sorted(zip(result.correct.tolist(), result.samples.tolist(), strict=True))


def survive(count: int, seed: int = 0) -> Counter[str]:
    """Read `count` damaged files. Returns how many were read and how many refused; an error tells what went wrong."""
    chance, seen = random.Random(seed), Counter[str]()
    signal.signal(signal.SIGALRM, _hangs)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(count):
            right: list[Any] | None = None
            if chance.random() < 0.3:
                name, content, right = restructured(chance)
            else:
                name, content = chance.choice(list(samples(chance).items()))
                content = damaged(content, chance)
            path = Path(folder, name)
            path.write_bytes(content)
            signal.alarm(20)
            try:
                result = read(path)
            except ValueError as error:
                said = str(error)
                clear = type(error) is ValueError and said.endswith((".", "=")) and len(said) < 1200
                if not clear:
                    raise AssertionError(f"mutation {i} of {name}: unclear {type(error).__name__}: {said}") from error
                signal.alarm(0)
                seen["refused"] += 1
                continue
            except Exception as error:
                raise AssertionError(f"mutation {i} of {name}: {type(error).__name__}: {error}\n{content!r}") from error
            signal.alarm(0)
            seen["read"] += 1
            wrong = _wrong(name, content, result) if right is None else ""
            if right is not None and _of_result(result) != right:
                wrong = f"{_of_result(result)} counted, and {right} there"
            seen["other shapes"] += right is not None
            assert not wrong, f"mutation {i} of {name}: {wrong}\n{content!r}"
    return seen


def _hangs(signum: int, frame: Any) -> None:
    raise TimeoutError("reading takes over 20 s")


def _wrong(name: str, content: bytes, result: Rollouts | TrainingLog) -> str:
    """What cannot be in a result, by rules that the reader does not share."""
    noted: Counter[str] = Counter()
    for note in result.notes:
        noted[note.kind] += note.count
    if isinstance(result, TrainingLog):
        fine = np.all((result.reward >= 0) & (result.reward <= 1)) and np.all(np.isfinite(result.step))
        return "" if fine and len(result.latest.step) == len(set(result.latest.step)) else "a log that cannot be"
    c, n = result.correct, result.samples
    if not (np.all((c >= 0) & (c <= n)) and np.all(n >= 1) and len(c) == len(n) == len(result.prompt)):
        return "counts out of range"
    if not name.startswith("rollouts"):
        return ""
    try:
        rows = _recount(name, content)
    except Exception as error:
        return f"counted, where a plain reader fails: {error}" if not noted["truncated"] else ""
    left_out = noted["missing"] + noted["nan"] + noted["total"] + noted["header"]
    several = sum(len(x) for x in rows if isinstance(x, list)) - sum(isinstance(x, list) for x in rows)
    if n.sum() + left_out != len(rows) + several:
        return f"{n.sum()} counted and {left_out} noted of {len(rows)} rows"
    flat = [y for x in rows for y in (x if isinstance(x, list) else [x])]
    if None in rows:
        return ""
    right = sum(map(_is_right, flat))
    return "" if c.sum() == right else f"{c.sum()} counted as correct of {right}"


def _is_right(reward: Any) -> bool:
    """The rule as documented: true, a word for it, or 1 to within 1e-6."""
    try:
        return abs(float(reward) - 1) <= 1e-6
    except (TypeError, ValueError):
        return str(reward).strip().lower() in ("true", "correct", "pass", "passed")


def _recount(name: str, content: bytes) -> list[Any]:
    """Every reward in a damaged file of rollouts, by the plainest reader there is."""
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    text = content.decode("utf-8-sig")
    if name.endswith(".csv"):
        table = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        at = table[0].index("reward")
        short = len(table[-1]) < len(table[0])
        return [row[at] for row in table[1 : -1 if short else None]]
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(x) for x in text.split("\n") if x.strip()]
    return [row.get("reward", row.get("step")) if "reward" in row else None for row in rows]


def _nasty_cell(content: bytes, chance: random.Random) -> bytes:
    """A number somewhere replaced by what does not belong there."""
    digits = [i for i, byte in enumerate(content) if 48 <= byte <= 57]
    at = chance.choice(digits) if digits else 0
    return content[:at] + chance.choice(NASTY) + content[at + 1 :]


def _as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


if __name__ == "__main__":
    print(dict(survive(int(sys.argv[1]))))
