"""What is published, on object storage too, if AI_USAGE_PUBLISH_URL is set.

    versions/<time>/            the current version and the one before, as in published/
    current.json                names both; changes only when all of a version is there
    reports.duckdb, parquet/,   the current version by names that stay, written one after the
    page/, data_docs/           other: "fixed_names" in current.json is null meanwhile

A copy that is cut off is taken up by the next run, whether or not that has anything new.
"""

import json
import re
from pathlib import Path

from orchestration.console import step
from orchestration.object_storage import Storage
from orchestration.settings import Settings, UserError

FIXED_NAMES = ("reports.duckdb", "parquet", "page", "data_docs")


def publish_storage(settings: Settings) -> Storage:
    """Open the object storage that is published to."""
    return Storage("AI_USAGE_PUBLISH_URL", settings.publish_url)


def mirror_current(settings: Settings) -> None:
    """Have on object storage what published/ has, if object storage is set.

    Raises:
        UserError: it could not be copied; says what stands where.
    """
    current, previous = settings.published / "current", settings.published / "previous"
    if not current.exists():
        return
    try:
        mirror(settings, current.resolve(), previous.resolve() if previous.exists() else None)
    except UserError as error:
        raise UserError(
            f"{error}\nWhat is in {settings.published} stands, but readers of "
            f"{settings.publish_url} may have the version before: the next run copies what is "
            "missing there, and `make run` does so now."
        ) from None


def mirror(settings: Settings, current: Path, previous: Path | None) -> None:
    """Make these two versions, folders of published/versions, those on object storage.

    Does nothing where none is set.

    Raises:
        UserError: the storage cannot be used. What was current there is so still, or this is.
    """
    if not settings.publish_url:
        return
    storage = publish_storage(settings)
    versions = {
        "version": current.name,
        "previous": previous.name if previous else None,
        "built_at": json.loads((current / "build.json").read_text())["built_at"],
    }
    if storage.read_json("current.json") == {**versions, "fixed_names": current.name}:
        return
    with step("copy") as progress:
        stored = storage.list("versions")
        wanted = {
            f"versions/{folder.name}/{name}": path
            for folder in (previous, current)
            if folder
            for name, path in _files(folder).items()
        }
        # A file of a version never changes, and an object is there whole or not at all.
        missing = {
            name: path
            for name, path in wanted.items()
            if name not in stored or stored[name].size_bytes != path.stat().st_size
        }
        storage.put(missing)
        storage.write_json("current.json", {**versions, "fixed_names": None})

        files = _files(current)
        fixed = {name: path for name, path in files.items() if name.split("/")[0] in FIXED_NAMES}
        storage.put(fixed)
        # Only what a version of ours has put there: others may keep files beside them.
        ours = [name for name in stored if re.match(r"versions/\d{8}T\d{12}/", name)]
        before = {name.split("/", 2)[2] for name in ours}
        storage.remove(n for n in before - set(fixed) if n.split("/")[0] in FIXED_NAMES)
        storage.remove(name for name in ours if name not in wanted)
        storage.write_json("current.json", {**versions, "fixed_names": current.name})
        progress.result = f"{len(missing) + len(fixed):,} files to {settings.publish_url}"


def _files(version: Path) -> dict[str, Path]:
    return {
        path.relative_to(version).as_posix(): path for path in version.rglob("*") if path.is_file()
    }
