"""The nightly job in a process forked from one that has imported already what takes seconds.

A test that kills the job thirty times need not wait thirty times for the same imports. They are
packages from outside only: each run imports the project anew, from its own copy.
"""

import multiprocessing
import os
import runpy
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["dagster", "dagster_dbt", "great_expectations.expectations", "altair", "vl_convert"]
)


class Run:
    """`python -m orchestration` under way, with all that it starts, in a process group."""

    def __init__(self, project: Path, environment: dict[str, str], output: Path) -> None:
        self.output = output
        arguments = (str(project), environment, str(output))
        self.process = _context.Process(target=_run, args=arguments)
        self.process.start()
        self.pid = self.process.pid
        # Until the child has its own group it cannot be killed with all that it starts.
        while self.process.is_alive() and os.getpgid(self.pid) != self.pid:
            time.sleep(0.001)

    def has_ended(self) -> bool:
        return not self.process.is_alive()

    def wait(self, timeout_s: float = 900) -> int:
        """Return the exit code; negative if a signal ended it."""
        self.process.join(timeout_s)
        assert self.has_ended(), f"not ended after {timeout_s} s: {self.said()}"
        return self.process.exitcode

    def said(self) -> str:
        return self.output.read_text()

    def kill(self) -> None:
        """End it and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.join()


def _run(project: str, environment: dict[str, str], output: str) -> None:
    os.setsid()
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(project)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, project)
    sys.argv = ["orchestration"]
    runpy.run_module("orchestration", run_name="__main__", alter_sys=True)
