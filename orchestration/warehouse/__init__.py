"""dbt, and the file that it builds."""
