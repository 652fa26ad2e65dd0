"""The marts as the page holds them: columns of numbers in JSON, added up by DuckDB.

A mart by user holds those who matter most, and the others as one; the days of each single user
stand in files that the page loads when that user is asked for. How values are written: encoding.py.
"""

from collections.abc import Iterator

import duckdb

from orchestration.page.declarations import Report
from orchestration.page.encoding import Codes
from orchestration.page.marts import Mart

OTHER_USERS = "(other users)"
# Ahead of time: those with the most tokens ever, and lately.
TOP_USERS = 200
_USERS_AT_ONCE = 6_000
_TOP = """
    create temp table top_users as
    with days as (
        select usage_date, user_id, total_tokens, max(usage_date) over () as last
        from reports.usage.usage_by_user
    ),
    windows as (select unnest([7, 30, 90, 100000]) as days),
    ranked as (
        select user_id, row_number() over (
            partition by windows.days order by sum(total_tokens) desc, user_id
        ) as place
        from days inner join windows on days.usage_date > days.last - windows.days::integer
        group by windows.days, user_id
    )
    select user_id from ranked group by user_id order by min(place), user_id limit {TOP_USERS}
"""


class Packer:
    """Reads the published tables into the page's form."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, marts: dict[str, Mart]) -> None:
        """Take a connection to which the published file is attached as `reports`."""
        self.connection, self.marts = connection, marts
        connection.execute(_TOP.format(TOP_USERS=TOP_USERS))
        connection.execute(
            """
            create temp table users as
            select user_id, any_value(user_name) as user_name,
                row_number() over (order by sum(total_tokens) desc, user_id) - 1 as place
            from reports.usage.usage_by_user
            inner join reports.core.dim_users using (user_id)
            group by user_id
            """
        )
        (users,) = connection.execute("select count(*) from users").fetchone()
        self.has_others = users > TOP_USERS

    def users(self) -> list[tuple[str, str]]:
        """Return each user's id and name, those with the most tokens first."""
        return self.connection.execute(
            "select user_id, user_name from users order by place"
        ).fetchall()

    def pack(self, mart: Mart, reports: list[Report]) -> str:
        """Return a mart as JSON, at the grain that its reports need."""
        columns = {column for report in reports for column in report.columns}
        by_user = "user_id" in columns
        query = f"select {', '.join(mart.columns)} from reports.{mart.schema}.{mart.name}"
        if "user_id" in mart.columns and (self.has_others or not by_user):
            # Nobody filters by team here, so it only counts where a report shows it.
            unshown = {"user_id"} | ({"team_id"} - columns)
            keys = [c for c in mart.dimensions if c not in unshown]
            select = list(keys)
            if by_user:
                keys.append("user")
                select.append("user as user_id")
            select += [f"{_added_up(mart, c)} as {c}" for c in mart.columns if c in mart.measures]
            user = f"if(user_id in (from top_users), user_id, '{OTHER_USERS}')"
            query = (
                f"select {', '.join(select)} from (select *, {user} as user from ({query})) "
                f"group by {', '.join(keys)}"
            )
        self.connection.execute(f"create or replace temp table packed as {query}")
        return Codes(self.connection, "packed").columns()

    def users_days(self, marts: list[Mart], per_file: int) -> Iterator[tuple[int, str]]:
        """Yield the text of each file of users: their rows by place and mart, in no order."""
        (count,) = self.connection.execute("select count(*) from users").fetchone()
        tables = {mart.name: f"reports.{mart.schema}.{mart.name}" for mart in marts}
        codes = {
            mart.name: Codes(
                self.connection, tables[mart.name], [c for c in mart.columns if c != "user_id"]
            )
            for mart in marts
        }
        heads = ",".join(f'"{name}":{code.head()}' for name, code in codes.items())
        # Many files at once, so that each mart is read few times.
        for first in range(0, count, _USERS_AT_ONCE):
            files: dict[int, dict[int, list[str]]] = {}
            for name, code in codes.items():
                rows = self.connection.execute(
                    f"""
                    select users.place, string_agg({code.row()}, ',')
                    from {tables[name]} as rows
                    inner join users on rows.user_id = users.user_id
                    {code.joins()}
                    where users.place >= {first} and users.place < {first + _USERS_AT_ONCE}
                    group by users.place
                    """
                )
                while found := rows.fetchmany(1_000):
                    for place, text in found:
                        users = files.setdefault(place // per_file, {})
                        users.setdefault(place, []).append(f'"{name}":[{text}]')
            for number in sorted(files):
                users = files.pop(number)
                texts = (f'"{place}":{{{",".join(users[place])}}}' for place in sorted(users))
                yield number, f'{{"heads":{{{heads}}},"users":{{{",".join(texts)}}}}}'


def _added_up(mart: Mart, column: str) -> str:
    measure = mart.measures[column]
    if measure["how"] == "mean":
        weight = measure["by"]
        return f"sum({column} * {weight}) / nullif(sum({weight}) filter ({column} is not null), 0)"
    if measure["how"] == "formula":
        return _formula(measure)
    return f"sum({column})"


def _formula(measure: dict) -> str:
    """A measure's expression in SQL, over sums of its columns."""
    stack: list[str] = []
    for step in measure["steps"]:
        if step in ("+", "-", "*", "/"):
            right = stack.pop()
            right = f"nullif({right}, 0)" if step == "/" else right
            stack.append(f"({stack.pop()} {step} {right})")
        else:
            stack.append(f"sum({step})" if isinstance(step, str) else f"{step}")
    return stack[0]
