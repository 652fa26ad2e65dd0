"""What a source is: what is read of a landed record, and the query that makes raw columns of it."""

from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent
JSON = (".jsonl", ".ndjson", ".json")
MACROS = (_HERE / "macros.sql").read_text()

# A JSON structure as DuckDB's from_json takes it: a type, a list of one structure, or fields.
Structure = str | list | dict


@dataclass(frozen=True)
class Source:
    """A kind of gateway; `folder` is its own, and bears its name.

    `structure` is all that is read of a record: what it does not name, prompts and answers above
    all, is never taken in. Its query selects the raw columns from the relation `landing`; `key`,
    `time` and `tokens` are those of them that tell which request it was, when, and how large, and
    `people` and `people_names` those that hold ids and names of people. `needed` maps what no
    record must have, but reports need, to its SQL; it is to be expected in the events for which the
    SQL condition `succeeded` holds. Rows for which `counted` does not hold are no events, but
    context that other events need.

    `marks` are fields that stand together in any record of the source, whatever else is in it: by
    them it is known from what else may land there, see others.py.

    `reading` goes up whenever more is read of a record than before: what was taken in with less is
    read again where it is still there.

    `shown` has the SQL of what a person is shown of a request, besides its time and key.

    Attributes, a list of keys and values, are named as new where they begin with
    `attributes_of_use`. `database_folder` is where in landing/ that lies which is read of a
    database of the source's own.
    """

    folder: Path
    structure: dict[str, Structure]
    key: str
    time: str
    tokens: tuple[str, ...]
    people: tuple[str, ...]
    succeeded: str
    needed: dict[str, str]
    people_names: tuple[str, ...] = ()
    counted: str = "true"
    formats: tuple[str, ...] = JSON
    attributes_of_use: str | None = None
    database_folder: str | None = None
    marks: tuple[str, ...] = ()
    reading: int = 1
    shown: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its folder, here and in landing/ and raw/."""
        return self.folder.name

    @property
    def query(self) -> str:
        """The select that types the records and says what is wrong with them."""
        return (self.folder / "records.sql").read_text()

    def profile(self, load_id: str, events: str) -> str:
        """The select of a load's profile, one row per landed file; `events` is a relation."""
        needed = (
            f"'{name}': count({sql}) filter ({self.succeeded})" for name, sql in self.needed.items()
        )
        return (
            (_HERE / "profile.sql")
            .read_text()
            .format(
                events=events,
                load_id=load_id,
                source=self.name,
                reading=self.reading,
                counted=self.counted,
                succeeded=self.succeeded,
                needed=", ".join(needed),
                key=self.key,
                time=self.time,
                tokens=", ".join(self.tokens),
            )
        )


def duckdb_type(structure: Structure) -> str:
    """Write a structure as a DuckDB type, such as STRUCT("key" VARCHAR)[]."""
    if isinstance(structure, list):
        return duckdb_type(structure[0]) + "[]"
    if isinstance(structure, dict):
        fields = (f'"{name}" {duckdb_type(inner)}' for name, inner in structure.items())
        return f"STRUCT({', '.join(fields)})"
    return structure


def text(*names: str) -> dict[str, Structure]:
    """Declare fields that are read as text."""
    return dict.fromkeys(names, "VARCHAR")
