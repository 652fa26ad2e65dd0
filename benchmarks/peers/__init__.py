"""Other tools on the same events, to the same reports.

Each is one process: python -m benchmarks.peers.<tool> EVENTS.jsonl PRICES.parquet SERVICES.parquet
OUT_FOLDER. Loading is reading the JSON lines into the form in which the tool keeps them best;
the reports are done when every one stands in a table of the tool. Writing them to OUT_FOLDER,
only so that check.py can compare them, is timed for none.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def own_peak_mib() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(
    load: Callable[[str, str, str], None],
    report: Callable[[], None],
    write: Callable[[Path], None],
    peak_mib: Callable[[], float] = own_peak_mib,
) -> None:
    """Run a peer on the paths of the command line, and print what it took as one line of JSON."""
    *given, folder = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    times = [time.perf_counter()]
    for step in (lambda: load(*given), report):
        step()
        times.append(time.perf_counter())
    peak = peak_mib()
    write(Path(folder))
    took = {"load_s": times[1] - times[0], "reports_s": times[2] - times[1], "peak_mib": peak}
    print(json.dumps({name: round(value, 2) for name, value in took.items()}))
