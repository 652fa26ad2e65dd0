"""dbt-duckdb's plugins, named in profiles/profiles.yml."""
