"""One run at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import duckdb

from orchestration.ingestion.damage import put_aside
from orchestration.settings import Settings, UserError

_LONGEST_WAIT_S = 600


@contextmanager
def only_run(settings: Settings) -> Iterator[None]:
    """Hold the lock on AI_USAGE_HOME; the kernel takes it back from whoever dies.

    Raises:
        UserError: another run holds it; says who and since when.
    """
    path = settings.home / "run.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"Another run is at work in {settings.home}: {file.read().strip()}. Wait for it, "
                "or stop it; whatever it leaves unfinished the next run will mend."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        file.flush()
        yield


def wait_for_warehouse(settings: Settings) -> None:
    """Wait until nobody has the warehouse open. One that is damaged is put aside.

    Raises:
        UserError: somebody has it open for longer than ten minutes, or it cannot be opened at all.
    """
    until = time.monotonic() + _LONGEST_WAIT_S
    while True:
        try:
            duckdb.connect(str(settings.warehouse)).close()
            return
        except duckdb.Error as error:
            if put_aside(settings, error):
                continue
            if "lock" not in str(error).lower():
                raise UserError(
                    f"{settings.warehouse} cannot be opened: {error}. Put that right and run "
                    "again; it holds nothing that raw/ does not, so it may be deleted."
                ) from error
            if time.monotonic() > until:
                raise UserError(
                    f"{settings.warehouse} is open elsewhere: {error}. Close it and run again."
                ) from error
            time.sleep(1)
