"""dbt-duckdb's plugin that ends a night's dbt with the process that started it.

A killed night would leave its dbt building, beside that of the next run.
"""

import os
import signal
import threading
import time

from dbt.adapters.duckdb.plugins import BasePlugin

from orchestration.warehouse.plugins import settings_for_dbt


class Plugin(BasePlugin):
    """What profiles.yml names; dbt-duckdb looks for a class of this name."""

    def initialize(self, plugin_config: dict) -> None:
        """Begin to watch, before the warehouse is opened."""
        parent = settings_for_dbt().night_process
        # Dagster may set dbt up in the night's own process, too.
        if parent and parent != os.getpid():
            threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)
