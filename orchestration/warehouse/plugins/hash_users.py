"""dbt-duckdb's plugin that tells DuckDB the key by which users are hidden.

As a variable of the session: whatever stands in SQL stands in dbt's logs and target folder, too.
"""

import hashlib

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from orchestration.files import quoted
from orchestration.warehouse.plugins import settings_for_dbt


class Plugin(BasePlugin):
    """What profiles.yml names; dbt-duckdb looks for a class of this name."""

    def initialize(self, plugin_config: dict) -> None:
        """Read the key once, for all cursors."""
        key = settings_for_dbt().hiding_key
        self._key = key.get_secret_value() if key else ""

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Set the variable, which a cursor does not take over from its connection."""
        cursor.execute(f"set variable hiding_key = nullif('{quoted(self._key)}', '')")


def hidden(user_id: str, key: str) -> str:
    """Return what the macro of this name makes of a user's id."""
    inner = hashlib.sha256((key + user_id).encode()).hexdigest()
    return hashlib.sha256((key + inner).encode()).hexdigest()[:24]
