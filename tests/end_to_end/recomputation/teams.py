"""Whose team somebody was on a day, as the organisation says itself."""

import csv
from datetime import date
from functools import cache
from pathlib import Path

from recomputation.values import Row

TEAMS = Path(__file__).resolve().parents[3] / "seeds/teams.csv"


@cache
def rules(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def team_of(user: str | None, on: date) -> str | None:
    """The seed's team; None where it does not know the user on that day."""
    for rule in rules(TEAMS):
        is_of_day = date.fromisoformat(rule["valid_from"] or "0001-01-01") <= on
        is_of_day = is_of_day and on < date.fromisoformat(rule["valid_to"] or "9999-12-31")
        if rule["user_id"] == user and is_of_day:
            return rule["team_id"]
    return None
