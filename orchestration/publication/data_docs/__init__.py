"""What Great Expectations found, as pages to read: its own Data Docs within a frame of ours.

Its site builder wants a project folder and makes pages that load styles, scripts and pictures from
eight hosts. So only its renderer of results is used, which makes the sections; the frame allows no
request and no script at all.
"""

import html
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.ingestion import ledger

_NOTE = "Each line names what would be wrong with this version, compared with the one before."
_NIGHTS = 30
_RESULTS = 200


def build_data_docs(
    folder: Path, validations: Path, judged: list[tuple[str, dict]], built_at: str
) -> None:
    """Write index.html, published.html and a page for each of the last 30 nights with loads.

    `judged` are the results for this version by name, `validations` is raw/validations, whose file
    names begin with a load id; results are in Great Expectations' JSON. Of more than 200 the newest
    are shown.
    """
    from great_expectations.render.view import DefaultJinjaPageView

    here = Path(__file__).parent
    frame = DefaultJinjaPageView(custom_views_directory=str(here)).env.get_template("frame.html")
    style = (here / "frame.css").read_text()

    def write(name: str, title: str, **contents: Any) -> None:
        text = frame.render(title=title, style=style, **contents)
        (folder / name).write_text(text, encoding="utf-8")

    folder.mkdir()
    of_version = [_section(title, result) for title, result in judged]
    pages = [("published.html", f"This version, published {built_at}", of_version)]
    nights: dict[str, list[Path]] = {}
    for path in sorted(validations.glob("*.json"), reverse=True)[:_RESULTS]:
        nights.setdefault(path.name[:8], []).append(path)
    for night in sorted(nights, reverse=True)[:_NIGHTS]:
        title = f"Loads of {datetime.strptime(night, '%Y%m%d'):%Y-%m-%d}"
        pages.append((f"{night}.html", title, [_read(path) for path in nights[night]]))
    for name, title, results in pages:
        write(name, title, note=_NOTE if results is of_version else "", results=results)
    write("index.html", "What Great Expectations found", pages=pages)


def _read(path: Path) -> dict:
    """Return the section of a load, such as `10:00:00 UTC, gateway: fields`."""
    try:
        result = json.loads(path.read_text())
        load_id = ledger.load_id_of(path)
        title = f"{ledger.started_at(load_id):%H:%M:%S} UTC, {ledger.source_of(load_id)}"
        return _section(f"{title}: {result['suite_name']}", result)
    except Exception:
        # Damaged, or of a version that wrote another form: no reason to publish nothing.
        title = f"{path.name} cannot be shown"
        return {"title": title, "success": False, "sections": [], "statistics": {}}


def _section(title: str, result: dict) -> dict:
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResultSchema,
    )
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    for one in result["results"]:
        # How to get at the rows in a frame that is no more.
        one["result"].pop("unexpected_index_query", None)
        one["result"] = _escaped(one["result"])
    loaded = ExpectationSuiteValidationResultSchema().load(result)
    # The first section repeats, with a link to nowhere, what the frame says.
    sections = ValidationResultsPageRenderer().render(loaded).to_json_dict()["sections"][1:]
    kept = {name: result[name] for name in ("success", "statistics")}
    return {"title": title, "sections": sections, **kept}


def _escaped(value: Any) -> Any:
    """Escape values found in the data: Great Expectations writes some of them as they are."""
    if isinstance(value, dict):
        return {_escaped(name): _escaped(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return html.escape(value) if isinstance(value, str) else value
