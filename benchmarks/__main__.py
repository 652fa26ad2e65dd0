"""Measures everything and writes what it found into README.md beside this file.

python -m benchmarks [--only rebuild nights ingestion peers analyst page large] [--runs 3]
                     [--millions 1 10 50] [--folder /tmp/ai-usage-benchmarks]

Takes an hour and more, and 40 GB in the folder. Figures are of whole processes: medians of several
runs, in turn where they are compared, so that a ratio holds when the machine's speed drifts.
"""

import argparse
import os
import platform
import shutil
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import parts
from benchmarks.measure import CommandFailedError
from benchmarks.parts import Plan

README = Path(__file__).parent / "README.md"
HEADING = "## Results\n"


def machine() -> str:
    """Describe the machine in a line."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":")[1].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "dbt-core", "dagster"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({cpu}), {memory_gib:.0f} GiB, "
        f"Python {platform.python_version()}, {versions}."
    )


def main() -> None:
    """Measure, print each part as it is there, and write all of it into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=parts.PARTS, default=list(parts.PARTS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--millions", nargs="+", type=int, default=[1, 10, 50])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/ai-usage-benchmarks"))  # noqa: S108
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(asked.folder, asked.runs, sorted(asked.millions))
    runs = f"Medians of {plan.runs} runs, of {max(plan.runs, 3)} nights; over 10 M once."
    text = [HEADING, f"{machine()}\n{runs}\n"]
    failed = []
    for name in asked.only:
        try:
            section = parts.PARTS[name](plan)
        except CommandFailedError as error:  # the others take hours and may be good
            section = f"### {name} failed\n\n{error}"
            failed.append(name)
        print(section, flush=True)
        text.append(section)
    if failed:
        sys.exit(f"Nothing is written to {README}, since these failed: {', '.join(failed)}")
    if asked.only == list(parts.PARTS):
        before, _, _ = README.read_text().partition(HEADING)
        README.write_text(before + "\n".join(text))
        shutil.rmtree(asked.folder)


if __name__ == "__main__":
    main()
