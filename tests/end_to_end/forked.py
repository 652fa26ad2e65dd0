"""Python in a process forked from one that has imported already what takes seconds.

A test that runs the nightly job thirty times need not wait thirty times for the same imports. They
are packages from outside only: each run imports the project anew, from its own copy.
"""

import atexit
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
    [
        "dagster",
        "dagster_dbt",
        "dbt.task.build",
        "dbt.adapters.duckdb.impl",
        "pydantic_settings",
        "genai_prices",
        "great_expectations.expectations",
        "altair",
        "vl_convert",
        "s3fs",
        "dagster_postgres",
        # Where there is no xdist each child would import it.
        "pytest",
    ]
)


class Run:
    """`python <arguments>` under way, with all that it starts, in a process group."""

    def __init__(
        self,
        project: Path,
        environment: dict[str, str],
        output: Path,
        arguments: tuple[str, ...] = ("-m", "orchestration"),
    ) -> None:
        self.output, self.errors = output, output.with_suffix(".errors.txt")
        of_run = (str(project), environment, str(output), str(self.errors), arguments)
        self.process = _context.Process(target=_run, args=of_run)
        self.process.start()
        self.pid = self.process.pid
        # Until the child has its own group it cannot be killed with all that it starts.
        with suppress(ProcessLookupError):
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
        """Return what it wrote to standard output."""
        return self.output.read_text()

    def complained(self) -> str:
        """Return what it wrote to standard error."""
        return self.errors.read_text()

    def kill(self) -> None:
        """End it and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.join()


def _run(
    project: str, environment: dict[str, str], output: str, errors: str, arguments: tuple[str, ...]
) -> None:
    os.setsid()
    for number, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(project)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, project)
    option, what, *others = arguments
    sys.argv = [option, *others]
    try:
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    finally:
        # multiprocessing ends its processes without.
        atexit._run_exitfuncs()
