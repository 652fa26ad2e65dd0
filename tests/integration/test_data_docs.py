"""What Great Expectations found is published as pages that ask nobody for anything."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from conftest import Warehouse
from test_schema_drift import land, take_in

from orchestration.publication.data_docs import build_data_docs
from orchestration.publication.expectations import judge_publication

HOSTILE = "<img src=http://127.0.0.1:9/x onerror=alert(1)>"
FEW_REQUESTS = pd.DataFrame(
    [(HOSTILE, 5.0, 10.0, 100.0)],
    columns=["usage_date", "requests", "requests_at_least", "requests_at_most"],
)


@pytest.fixture
def docs(warehouse: Warehouse) -> Path:
    """Two loads in each of 31 nights, with a hostile value, and a version with a warning."""
    land(warehouse, "gateway", "a")
    take_in(warehouse, "gateway")
    land(warehouse, "gateway", "b", count=40)
    take_in(warehouse, "gateway")
    validations = warehouse.raw / "validations"
    loads = sorted(validations.iterdir())
    assert len(loads) == 3
    result = json.loads(loads[0].read_text())
    result["results"][0]["success"] = False
    result["results"][0]["result"] |= {
        "unexpected_count": 1,
        "partial_unexpected_list": [HOSTILE],
        "partial_unexpected_counts": [{"value": HOSTILE, "count": 1}],
    }
    loads[0].write_text(json.dumps(result))
    for days in range(31):
        night = f"{date(2026, 1, 1) + timedelta(days):%Y%m%d}"
        for path in loads:
            shutil.copy(path, validations / f"{night}{path.name[8:]}")
    for path in loads:
        path.unlink()
    (validations / f"20260130{loads[0].name[8:]}").write_text("{")
    _, judged = judge_publication({"volume": FEW_REQUESTS})
    build_data_docs(warehouse.home / "docs", validations, judged, "2026-02-01 02:00:00 UTC")
    return warehouse.home / "docs"


def test_the_last_thirty_nights_are_shown(docs: Path) -> None:
    nights = [f"{date(2026, 1, 2) + timedelta(days):%Y%m%d}.html" for days in range(30)]
    assert sorted(path.name for path in docs.iterdir()) == [*nights, "index.html", "published.html"]
    assert sum(path.stat().st_size for path in docs.iterdir()) < 1_000_000


def test_a_browser_shows_them_and_asks_nobody(docs: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("NO BROWSER: install Debian's chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(f"file://{docs}/index.html")
        assert page.locator("tbody tr").count() == 31
        assert page.locator("tbody tr").nth(0).inner_text().split("\t")[1:] == ["2", "1"]
        page.get_by_text("This version, published 2026-02-01 02:00:00 UTC").click()
        assert "far fewer requests than on this weekday" in page.inner_text("body")
        assert "5.0" in page.inner_text("body")
        page.get_by_text("All").click()
        page.get_by_text("Loads of 2026-01-31").click()
        assert "cannot be shown" not in page.inner_text("body")
        page.get_by_text("All").click()
        page.get_by_text("Loads of 2026-01-30").click()
        assert page.inner_text("body").count("cannot be shown") == 1
        page.get_by_text("All").click()
        page.get_by_text("Loads of 2026-01-31").click()
        text = page.inner_text("body")
        assert "UTC, gateway: fields" in text
        assert "values must be unique." in text
        assert HOSTILE in text
        assert page.locator("script, img").count() == 0
        browser.close()
    assert {url.partition("docs/")[0] for url in asked} == {f"file://{docs.parent}/"}
    assert said == []
