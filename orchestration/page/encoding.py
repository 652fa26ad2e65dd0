"""How a table's columns are written in JSON: dates and text as whole numbers, and as few as can be.

A date is its days since 1970 and a timestamp its hours; text, and the bounds of buckets, are places
in a list that is written once.
"""

import json

import duckdb

from orchestration.page.marts import is_bound

# Below what anybody reads, and half as long as a float's full width.
_DIGITS = 6


class Codes:
    """The columns of a table, and the SQL that writes them."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, only: list[str] | None = None
    ) -> None:
        """Look up the table's columns, or only some of them, and list the text in them."""
        self.connection, self.table = connection, table
        self.kinds: dict[str, str] = {}
        self.lists: dict[str, str] = {}
        for name, kind, *_ in connection.execute(f"describe {table}").fetchall():
            if only is not None and name not in only:
                continue
            self.kinds[name] = kind
            if kind == "VARCHAR" or is_bound(name):
                self.lists[name] = f"list_{table.split('.')[-1]}_{name}"
                connection.execute(
                    f"""
                    create or replace temp table {self.lists[name]} as
                    select value, row_number() over (order by value) - 1 as code
                    from (select distinct {name} as value from {table})
                    """
                )

    def head(self) -> str:
        """Return JSON of the columns without their values."""
        return json.dumps([self._head(name) for name in self.kinds], ensure_ascii=False)

    def columns(self) -> str:
        """Return JSON of the columns with their values; codes as steps from the row before."""
        coded = [name for name, kind in self.kinds.items() if self._is_coded(name, kind)]
        select = ", ".join(f"{self._code(name)} as {name}" for name in self.kinds)
        steps = ", ".join(
            f"{name} - lag({name}, 1, 0) over (order by place) as {name}" if name in coded else name
            for name in self.kinds
        )
        lists = ", ".join(f"to_json(list({name} order by place))" for name in self.kinds)
        values = self.connection.execute(
            f"""
            with codes as (select {select} from {self.table} as rows {self.joins()}),
            ordered as (
                select *, row_number() over (order by {", ".join(coded) or "1"}) as place from codes
            ),
            steps as (select place, {steps} from ordered)
            select {lists} from steps
            """
        ).fetchone()
        columns = [
            json.dumps(self._head(name), ensure_ascii=False)[:-1] + f',"values":{text or "[]"}}}'
            for name, text in zip(self.kinds, values, strict=True)
        ]
        return "[" + ",".join(columns) + "]"

    def row(self) -> str:
        """Return SQL for a row's values as a JSON list."""
        cells = [f"coalesce(({self._code(name)})::varchar, 'null')" for name in self.kinds]
        return "'[' || " + " || ',' || ".join(cells) + " || ']'"

    def joins(self) -> str:
        """Return SQL for the joins with the lists; the table goes by the name of rows."""
        return " ".join(
            f"left join {listed} on rows.{name} = {listed}.value"
            for name, listed in self.lists.items()
        )

    def _head(self, name: str) -> dict:
        kind = self.kinds[name]
        sort = {"DATE": "date", "VARCHAR": "text"}.get(kind, "number")
        values = None
        if name in self.lists:
            rows = self.connection.execute(f"select value from {self.lists[name]} order by code")
            values = [value for (value,) in rows.fetchall()]
        return {
            "name": name,
            "sort": "hour" if kind.startswith("TIMESTAMP") else sort,
            "list": values,
        }

    def _is_coded(self, name: str, kind: str) -> bool:
        return name in self.lists or kind == "DATE" or kind.startswith("TIMESTAMP")

    def _code(self, name: str) -> str:
        kind = self.kinds[name]
        if name in self.lists:
            return f"{self.lists[name]}.code"
        if kind == "DATE":
            return f"rows.{name} - date '1970-01-01'"
        if kind.startswith("TIMESTAMP"):
            return f"cast(epoch(rows.{name}) / 3600 as bigint)"
        if kind == "DOUBLE":
            # JSON has no way to write what is no number.
            return f"if(isfinite(rows.{name}), round(rows.{name}, {_DIGITS}), null)"
        return f"cast(rows.{name} as double)" if kind.startswith("DECIMAL") else f"rows.{name}"
