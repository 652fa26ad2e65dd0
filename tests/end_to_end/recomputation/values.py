"""Values as senders write them: text, numbers, money, times."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = dict[str, Any]

EPOCH = datetime(1970, 1, 1)
MICROSECOND, MILLISECOND, DAY = (
    timedelta(microseconds=1),
    timedelta(milliseconds=1),
    timedelta(days=1),
)
NO_IDS = {"none", "null", "unknown", "0"}


def text(value: Any) -> str | None:
    """A value as text; blank is the same as missing."""
    return (str(value).strip() or None) if value is not None else None


def identifier(value: Any) -> str | None:
    """An id; some senders write None where they have none."""
    name = text(value)
    return None if name is None or name.lower() in NO_IDS else name


def flag(value: Any) -> bool:
    return str(value).lower() == "true"


def count(value: Any) -> int | None:
    """A number of tokens. A negative one is an error."""
    if text(value) is None:
        return None
    number = Decimal(str(value))
    if number < 0 or number != int(number):
        raise ValueError(value)
    return int(number)


def money(value: Any) -> Decimal | None:
    if text(value) is None:
        return None
    return Decimal(str(value)).quantize(Decimal("1e-12"), ROUND_HALF_UP)


def moment(value: Any) -> datetime | None:
    """A time in ISO 8601, UTC if it has no zone, or in seconds since 1970."""
    if text(value) is None:
        return None
    try:
        seconds = Decimal(str(value)).quantize(Decimal("1e-6"), ROUND_HALF_UP)
    except ArithmeticError:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return EPOCH + int(seconds * 10**6) * MICROSECOND


def after(start: datetime, wait_ms: Any) -> datetime | None:
    """The time so many milliseconds later."""
    return None if text(wait_ms) is None else start + round(float(wait_ms) * 1000) * MICROSECOND


def first(*values: Any) -> Any:
    """The first value that is known."""
    return next((value for value in values if value is not None), None)


def required(value: Any) -> Any:
    if value is None:
        raise ValueError("something that must be there is missing")
    return value
