"""One run at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

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
