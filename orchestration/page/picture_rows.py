"""The rows of each report's picture: the last 30 days, everyone and every AI, added up in SQL."""

import math
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb

from orchestration.page.declarations import Report
from orchestration.page.labels import label, unit
from orchestration.page.marts import Mart
from orchestration.page.packing import formula

DAYS = 30
_MOST = 12
_TICKS = [digit * 10**power for power in range(7) for digit in (1, 2, 5)]


class PictureRows:
    """What charts.py draws, as draw.js makes it for the page, and the values of its params."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, last: date) -> None:
        """Take a connection to which the published file is attached as `reports`."""
        self.connection, self.last = connection, last

    def of(self, mart: Mart, report: Report, domain: list[str]) -> tuple[list[dict], dict]:
        """Return a report's rows and params; no rows where there is nothing to draw."""
        value = report.value[0]
        if report.chart in ("area", "columns", "lines"):
            return self._dated(mart, report, domain)
        if report.chart == "heatmap":
            cells = self._values(mart, report, [report.row, report.column])
            rows = [
                {"row": r, "column": c, "value": cells.get((r, c), [0])[0]}
                for r in range(1, 8)
                for c in range(24)
            ]
            return rows, {"top": max(row["value"] for row in rows)}
        if report.chart == "histogram":
            return self._histogram(mart, report), {}
        groups = self._values(mart, report, [report.category])
        parts = self._values(mart, report, [report.category, report.series or report.category])
        fast = report.chart == "spread" and report.category == "ai_service"
        order = sorted(
            (key for key, values in groups.items() if values[0]),
            key=lambda key: (groups[key][0] if fast else -groups[key][0], key),
        )
        rows = []
        columns = zip(*groups.values(), strict=True)
        whole = [sum(value or 0 for value in column) for column in columns]
        for rank, key in enumerate(order[:_MOST]):
            by_ai = report.category == "ai_service"
            base = {"category": key[0], "rank": rank, "series": key[0] if by_ai else ""}
            values = groups[key]
            if report.chart == "compare":
                for n, name in enumerate(report.value):
                    share = (values[n] or 0) / (whole[n] or 1)
                    pair = {"series": label(name), "value": share, "rank": rank * 2 + n}
                    rows.append(base | pair | {"label": f"{share:.1%}"})
            elif report.chart == "spread":
                rows.append(base | dict(zip(("low", "middle", "high"), values, strict=True)))
            else:
                start = 0.0
                inside = [name for name in domain if (key[0], name) in parts]
                for name in inside if report.series else [base["series"]]:
                    end = start + float(parts[key[0], name][0] or 0) if report.series else values[0]
                    rows.append(base | {"series": name, "start": start, "end": end, "label": ""})
                    start = end
                if rows:
                    rows[-1]["label"] = _compact(values[0], unit(value))
        signals: dict[str, Any] = {"label_width": 180}
        if report.chart == "spread":
            return rows, signals | _log([row[k] for row in rows for k in ("low", "high")])
        most = max((row.get("end") or row.get("value") or 0 for row in rows), default=1)
        return rows, signals | {"top": most * 1.2}

    def _dated(self, mart: Mart, report: Report, domain: list[str]) -> tuple[list[dict], dict]:
        keys = [f"cast({mart.date} as date)"] + ([report.series] if report.series else [])
        found = self._values(mart, report, keys)
        if not found:
            return [], {}
        dates = sorted({key[0] for key in found})
        if "date" not in report.ignores:
            days = (self.last - dates[0]).days + 1
            dates = [dates[0] + timedelta(days=n) for n in range(days)]
        step = min((b - a for a, b in pairwise(dates)), default=timedelta(1))
        additive = mart.measures[report.value[0]]["how"] == "sum"
        rows = []
        names = domain if report.series else [label(n) for n in report.value]
        for n, name in enumerate(names):
            for day in dates:
                values = found.get((day, name) if report.series else (day,))
                value = values[0 if report.series else n] if values else (0 if additive else None)
                series = name if len(names) > 1 or report.series else ""
                rows.append({"date": _ms(day), "series": series, "value": value, "rank": n})
        half = _ms(dates[0] + step) - _ms(dates[0]) if report.chart == "columns" else 0
        signals = {
            "from": _ms(dates[0]) - half / 2,
            "to": _ms(dates[-1]) + half / 2,
            "step": step.total_seconds() * 1000,
            "ticks": [_ms(day) for day in dates[:: -max(1, len(dates) // 10)]],
        }
        numbers = [row["value"] for row in rows if row["value"]]
        if report.scale == "log":
            signals |= _log(numbers)
        elif unit(report.value[0]) == "s":
            signals["value_ticks"] = [
                n * 300 for n in range(int(max(numbers, default=0) / 300) + 1)
            ]
        return rows, signals

    def _values(self, mart: Mart, report: Report, keys: list[str]) -> dict[tuple, list]:
        """Return the report's measures by `keys`."""
        conditions = [f"{column} = '{value}'" for column, value in report.where.items()]
        if mart.date and "date" not in report.ignores:
            conditions.append(f"{mart.date} > date '{self.last}' - {DAYS}")
            conditions.append(f"{mart.date} < date '{self.last}' + 1")
        where = " and ".join(conditions) or "true"
        source = f"from reports.{mart.schema}.{mart.name} where {where}"
        named = ", ".join(keys)
        count = len(keys)
        first = mart.measures[report.value[0]]
        if first["how"] == "percentile":
            rows = self.connection.execute(
                f"select {named}, {first['from']} as low, {first['to']}, sum({first['of']}) "
                f"{source} group by {named}, {first['from']}, {first['to']} order by low"
            ).fetchall()
            buckets: dict[tuple, list] = {}
            for row in rows:
                buckets.setdefault(row[:count], []).append(row[count:])
            shares = [mart.measures[name]["percent"] / 100 for name in report.value]
            return {key: [_percentile(by, s) for s in shares] for key, by in buckets.items()}
        measures = ", ".join(_sql(mart.measures[name], mart.date) for name in report.value)
        rows = self.connection.execute(
            f"select {named}, {measures} {source} group by {named}"
        ).fetchall()
        return {row[:count]: [None if v is None else float(v) for v in row[count:]] for row in rows}

    def _histogram(self, mart: Mart, report: Report) -> list[dict]:
        """As draw.js: fourteen buckets make a bar, about twice as long as the one before."""
        low = next(column for column in mart.columns if "_from_" in column)
        ending = low.rsplit("_", 1)[1]
        bars: dict[int, float] = {}
        for (bound,), (value,) in self._values(mart, report, [low]).items():
            place = math.floor(math.log(bound * 1.001, 1.05) / 14) + 1 if bound >= 1 else 0
            bars[place] = bars.get(place, 0) + (value or 0)
        return [
            {
                "category": _time(1.05 ** (14 * (n - 1)), ending) if n else f"< 1 {ending}",
                "rank": n,
                "value": bars.get(n, 0),
            }
            for n in range(min(bars, default=0), max(bars, default=-1) + 1)
        ]


def _sql(measure: dict, day: str | None) -> str:
    how = measure["how"]
    if how in ("sum", "as is"):
        return f"sum({measure['of']})"
    if how == "per day":
        return f"sum({measure['of']}) / count(distinct cast({day} as date))" if day else "sum(1)"
    if how == "mean":
        of, weight = measure["of"], measure["by"]
        return f"sum({of} * {weight}) / nullif(sum({weight}) filter ({of} is not null), 0)"
    return formula(measure)


def _percentile(buckets: list[tuple], share: float) -> float | None:
    wanted, before = share * float(sum(count for *_, count in buckets)), 0.0
    for low, high, count in buckets:
        if count and before + float(count) >= wanted:
            return low + (high - low) * (wanted - before) / float(count)
        before += float(count)
    return None


def _time(value: float, ending: str) -> str:
    if ending == "s" and value >= 3600:
        return f"{value / 3600:.0f} h"
    return f"{value / 60:.0f} min" if ending == "s" and value > 59.5 else f"{value:.0f} {ending}"


def _log(numbers: list[float]) -> dict:
    low, high = min(numbers, default=1) * 0.85, max(numbers, default=10) * 1.15
    return {"bottom": low, "top": high, "value_ticks": [t for t in _TICKS if low <= t <= high]}


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _compact(value: float, kind: str) -> str:
    if kind == "usd":
        return f"${value:,.2f}"
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "K")):
        if value >= size:
            return f"{value / (1e3 if letter == 'K' else size):.3g}{letter}"
    return f"{value:,.0f}"
