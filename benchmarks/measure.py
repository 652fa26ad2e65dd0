"""What a whole process takes, as the operating system accounts for it."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).resolve().parent.parent


class CommandFailedError(Exception):
    """The command did not end well; holds the end of what it printed."""


@dataclass(frozen=True)
class Sample:
    """Wall-clock and CPU seconds, and MiB of the largest single process."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    printed: str = ""


def run(*arguments: str, home: Path | None = None, **environment: str) -> Sample:
    """Run a command with this Python's environment, in the project's folder.

    Raises:
        CommandFailedError: see there.
    """
    if home:
        environment["AI_USAGE_HOME"] = str(home)
    started = time.monotonic()
    process = subprocess.Popen(
        arguments,
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CommandFailedError(f"{' '.join(arguments)}:\n{printed[-3000:]}")
    return Sample(
        time.monotonic() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        printed,
    )


def python(*arguments: str, **options: str | Path) -> Sample:
    """Run this Python with arguments."""
    return run(sys.executable, *arguments, **options)


def middle(samples: list[Sample]) -> Sample:
    """Return the sample of median wall-clock time, with the greatest peak of all."""
    wall_s = median(sample.wall_s for sample in samples)
    nearest = min(samples, key=lambda sample: abs(sample.wall_s - wall_s))
    peak_mib = max(sample.peak_mib for sample in samples)
    return Sample(wall_s, nearest.cpu_s, peak_mib, nearest.printed)
