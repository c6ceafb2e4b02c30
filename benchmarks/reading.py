"""Reading and diagnosing a 1 GB dump: rows per second of one core, and peak memory; `make bench-reading`.

Each measurement is a process of its own. The machine's load stands beside it: above 1 a core, figures are too low.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from make_rollouts import write

MEASURE = """
import json, resource, sys, time
if sys.argv[2] == "standard library":
    sys.modules["orjson"] = None
import rlsignal
start, wall = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
data = rlsignal.read(sys.argv[1])
user = resource.getrusage(resource.RUSAGE_SELF).ru_utime - start
rlsignal.diagnose(data, 8), rlsignal.track(data, 8)
rows = int(data.samples.sum())
print(json.dumps({
    "rows": rows,
    "rows per second": round(rows / user),
    "seconds in all": round(time.perf_counter() - wall, 1),
    "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    "jax loaded": "jax" in sys.modules,
}))
"""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        long, table = Path(folder, "rollouts.jsonl"), Path(folder, "rollouts.csv")
        write(long, 1_080_000)
        write(table, 2_000_000)
        for path, parser in ((long, "standard library"), (long, "orjson"), (table, "standard library")):
            command = [sys.executable, "-c", MEASURE, str(path), parser]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            about = {"file": path.name, "MB": path.stat().st_size // 10**6, "parser": parser}
            sys.stdout.write(json.dumps({**about, **found, "load": os.getloadavg()[0]}) + "\n")
