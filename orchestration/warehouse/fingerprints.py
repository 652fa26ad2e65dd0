"""What the tables are made of, so that a night knows whether there is anything to do."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

from orchestration.files import replacing
from orchestration.settings import PROJECT, Settings


@dataclass(frozen=True)
class BuiltFrom:
    """What warehouse.duckdb was built from, without what is not built whole.

    `code` and `inputs` are fingerprints; `models` maps each core model that is built day by day, or
    read by one that is, to its checksum. `checked_on` is the day on which all that it is built from
    was last held against its digests.
    """

    code: str | None = None
    models: dict[str, str] = field(default_factory=dict)
    inputs: str | None = None
    checked_on: str | None = None


def fingerprint(settings: Settings) -> str:
    """Identify all that the tables are made of: events, models, seeds, settings and list prices."""
    parts = sorted(path.name for path in settings.raw.glob("*/**/*.parquet"))
    parts += sorted(folder.name for folder in settings.archive.glob("*"))
    parts += [json.dumps(settings.what_changes_tables()), version("genai-prices")]
    parts.append(version("duckdb"))
    return _digest(parts, "models", "macros", "seeds", "tests", "orchestration")


def code_fingerprint(settings: Settings) -> str:
    """Identify what dbt compiles SQL from: while it is the same, so is each model's checksum."""
    parts = [json.dumps(settings.what_changes_tables()), version("duckdb")]
    parts.append((PROJECT / "dbt_project.yml").read_text())
    return _digest(parts, "models", "macros", "seeds", "orchestration/warehouse")


def _digest(parts: list[str], *folders: str) -> str:
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.*")):
            if path.suffix in (".sql", ".yml", ".md", ".csv", ".py", ".html", ".css", ".js"):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                parts.append(f"{path.relative_to(PROJECT)} {digest}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def built_from(settings: Settings) -> BuiltFrom:
    """Return what the last build noted, whether or not it was published."""
    try:
        return BuiltFrom(**json.loads(_note(settings).read_text()))
    except (FileNotFoundError, TypeError):
        return BuiltFrom()


def is_check_due(settings: Settings, today: date) -> bool:
    """Whether raw/ and archive/ were last checked a week ago, or by a clock that was ahead."""
    last = date.fromisoformat(built_from(settings).checked_on or "0001-01-01")
    return not last <= today < last + timedelta(7)


def note_built_from(settings: Settings, built: BuiltFrom) -> None:
    """Note it for the steps and nights to come."""
    with replacing(_note(settings)) as new:
        new.write_text(json.dumps(built.__dict__))


def _note(settings: Settings) -> Path:
    return settings.home / "built_from.json"
