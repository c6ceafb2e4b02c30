"""Write a file of made-up rollouts, to time and to weigh reading.

python benchmarks/make_rollouts.py rollouts.jsonl 1000000          # about 1 kB a row, 1 GB in all
python benchmarks/make_rollouts.py rollouts.csv 2000000            # prompt, step and reward only
python benchmarks/make_rollouts.py --time rollouts.jsonl           # rows a second of user time, and peak memory

Rows are those of a GRPO run: groups of 8 over 4096 prompts in shuffled order, texts with line breaks, quotes and
formulas. The same arguments write the same bytes.
"""

import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GROUP, PROMPTS, BATCH = 8, 4096, 64
TEXT = (
    "so the sum of its roots is therefore at most half of that which we wanted; let x be such an even number and "
    'then \\frac{a}{b} = 3, \n hence "it" follows \n\n $x^2 + 1$ modulo 7 gives **Step** because'
)
WORDS = TEXT.split(" ")


def rows(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Rollouts in the order of a dump: step after step, the members of a group apart from each other."""
    chance = random.Random(seed)

    def text(size: int) -> str:
        return " ".join(chance.choices(WORDS, k=size // 5))[:size]

    prompts, tails = [text(220) for _ in range(PROMPTS)], [text(640) for _ in range(997)]
    rates = [chance.betavariate(0.4, 0.9) for _ in range(PROMPTS)]
    batch: list[int] = []
    for i in range(count):
        if not batch:
            batch = GROUP * chance.sample(range(PROMPTS), BATCH)
            chance.shuffle(batch)
        which = batch.pop()
        yield {
            "input": prompts[which],
            "output": f"{chance.random()} {tails[i % 997]}",
            "gts": str(which),
            "score": float(chance.random() < rates[which]),
            "step": 1 + i // (GROUP * BATCH),
        }


def write(path: Path, count: int) -> None:
    """JSONL with texts, or CSV with numbers only, by the name's suffix."""
    with open(path, "w", encoding="utf-8") as file:
        if path.suffix == ".csv":
            file.write("prompt_id,step,reward\n")
            file.writelines(f"{row['gts']},{row['step']},{row['score']:g}\n" for row in rows(count))
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows(count))


def timed(path: Path) -> dict[str, Any]:
    """Read the file once in this process."""
    from rlsignal.data.read import read

    start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    wall = time.perf_counter()
    data = read(path)
    user = resource.getrusage(resource.RUSAGE_SELF).ru_utime - start
    count = int(data.samples.sum())
    return {
        "rows": count,
        "rows per second of user time": round(count / user),
        "seconds": round(time.perf_counter() - wall, 1),
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "jax loaded": "jax" in sys.modules,
        "orjson": "orjson" in sys.modules,
    }


if __name__ == "__main__":
    if sys.argv[1] == "--time":
        print(json.dumps(timed(Path(sys.argv[2]))))
    else:
        write(Path(sys.argv[1]), int(sys.argv[2]))
