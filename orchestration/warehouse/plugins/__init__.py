"""dbt-duckdb's plugins, named in profiles/profiles.yml."""

from dbt_common.exceptions import DbtRuntimeError

from orchestration.settings import Settings, UserError, read_settings


def settings_for_dbt() -> Settings:
    """Read the settings, and have dbt say what is wrong with them.

    Raises:
        DbtRuntimeError: see `read_settings`; dbt shows it without a traceback.
    """
    try:
        return read_settings()
    except UserError as error:
        raise DbtRuntimeError(str(error)) from None
