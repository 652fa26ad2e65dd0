"""What was used in a week or month, and in the one before."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from recomputation.measures import distinct, not_told, period, share, total, total_cost
from recomputation.requests import Request
from recomputation.values import DAY, Row

GROWN = ("total_tokens", "requests", "cost_usd", "active_users")


def used_in(requests: list[Request]) -> Row:
    return {
        "total_tokens": total(requests, "total_tokens") if requests else 0,
        "requests": len(requests),
        "cost_usd": total_cost(requests) if requests else Decimal(0),
        "active_users": distinct(requests, "active_user"),
        **not_told(requests),
    }


def growth(requests: list[Request], column: str, name: str) -> list[Row]:
    """Of each period those who are in it; where it and the one before are whole, also of that."""
    days, rows = {request.usage_date for request in requests}, []
    if not days:
        return []
    for period_type in ("week", "month"):
        parts: dict[date, dict[str, list[Request]]] = {}
        start = period(period_type, min(days))[0]
        while start <= max(days):  # periods without a request, too
            parts[start] = defaultdict(list)
            start = period(period_type, start)[1]
        for request in requests:
            parts[period(period_type, request.usage_date)[0]][getattr(request, name)].append(
                request
            )
        before: dict[str, list[Request]] = {}
        was_complete = False
        for start in sorted(parts):
            end = period(period_type, start)[1]
            is_complete = min(days) <= start and end - DAY <= max(days)
            is_compared = is_complete and was_complete
            now = parts[start]
            rows += compared(
                {"period_type": period_type, "period_start": start, "is_complete": is_complete},
                column,
                {one: now.get(one, []) for one in now | (before if is_compared else {})},
                before if is_compared else None,
            )
            before, was_complete = dict(now), is_complete
    return rows


def compared(
    key: Row, column: str, now: dict[str, list[Request]], before: dict[str, list[Request]] | None
) -> list[Row]:
    rows = []
    for one, part in now.items():
        row = key | {column: one} | used_in(part)
        was = used_in(before.get(one, [])) if before is not None else {}
        for name in GROWN:
            values = row[name], was.get(name)
            row[f"{name}_before"] = values[1]
            row[f"{name}_difference"] = None if None in values else values[0] - values[1]
        rows.append(row)
    for name in GROWN:
        differences = [row[f"{name}_difference"] for row in rows]
        of_all = sum(value for value in differences if value is not None)
        for row, value in zip(rows, differences, strict=True):
            row[f"{name}_share_of_difference"] = share(value, of_all)
    return rows
