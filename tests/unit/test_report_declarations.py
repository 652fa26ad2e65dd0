"""A report that is declared wrongly stops the build and says what to write."""

import copy
import json

import pytest

from orchestration.page import charts
from orchestration.page.declarations import CHARTS, read_declarations
from orchestration.settings import UserError
from orchestration.warehouse.project import project, public_models

GOOD = {
    "tab": "usage",
    "order": 1,
    "title": "Tokens",
    "chart": "columns",
    "series": "ai_service",
    "value": "total_tokens",
}


def node(report: object, measures: dict | None = None) -> dict:
    types = {"usage_date": "date", "ai_service": "varchar", "total_tokens": "bigint"}
    columns = {
        name: {"name": name, "data_type": kind, "description": name} for name, kind in types.items()
    }
    return {
        "name": "tokens",
        "schema": "usage",
        "patch_path": "ai_usage://models/marts/usage/tokens.yml",
        "original_file_path": "models/marts/usage/tokens.sql",
        "description": "One row per day.",
        "columns": columns,
        "config": {"meta": {"report": report, "measures": measures or {}}},
    }


@pytest.mark.parametrize(
    ("change", "key", "allowed"),
    [
        ({"tab": "usages"}, "report.tab is 'usages'", "usage, cost, technical"),
        ({"chart": "pie"}, "report.chart is 'pie'", "heatmap"),
        ({"chart": None}, "report.chart is missing", "heatmap"),
        ({"value": "tokenz"}, "report.value is 'tokenz'", "total_tokens"),
        ({"value": ["total_tokens"] * 2}, "report.value has too few or too many", "1 to 1"),
        ({"series": "model"}, "report.series is 'model'", "usage_date, ai_service"),
        ({"row": "ai_service"}, "report.row is not for columns", "series"),
        ({"colour": "red"}, "report.colour is not known", "title"),
        ({"hover": ["requests"]}, "report.hover is 'requests'", "total_tokens"),
        ({"when_filtered": ["other"]}, "report.when_filtered is 'other'", "tokens"),
        ({"order": "first"}, "report.order", "int"),
        ({"title": ""}, "report.title", "str"),
        ({"where": {"model": "gpt"}}, "report.where is 'model'", "ai_service"),
        ({"scale": "square"}, "report.scale is 'square'", "linear, log"),
    ],
)
def test_wrong_report(change: dict, key: str, allowed: str) -> None:
    with pytest.raises(UserError) as error:
        read_declarations([node(GOOD | change)])
    text = str(error.value)
    assert text.startswith("models/marts/usage/tokens.yml: config.meta.")
    assert key in text
    assert allowed in text.split("Allowed:")[1]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("add", "names 'add', no column. Allowed: usage_date"),
        ("mean by requests", "names 'requests', no column"),
        ("total_tokens +", "is 'total_tokens +'. Allowed: sum, as is"),
        ("sum(total_tokens)", "is 'sum(total_tokens)'"),
    ],
)
def test_wrong_measure(how: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        read_declarations([node(GOOD, {"total_tokens": how})])
    assert f"models/marts/usage/tokens.yml: config.meta.measures.total_tokens {said}" in str(
        error.value
    )


def test_a_stand_in_has_what_the_chart_shows() -> None:
    other = copy.deepcopy(node([]))
    other["name"] = "other"
    del other["columns"]["ai_service"]
    with pytest.raises(UserError, match="names other, which lacks ai_service"):
        read_declarations([node(GOOD | {"when_filtered": ["other"]}), other])


def test_every_mart_has_a_report_and_each_chart_compiles() -> None:
    nodes = public_models(project())
    marts, reports = read_declarations(nodes)
    shown = {name for report in reports for name in (report.mart, *report.when_filtered)}
    # What is by day or by each user is more than a page should carry.
    by_day = {n["name"] for n in nodes if n["config"]["meta"].get("published") == "by day"}
    too_fine = by_day | {"growth_by_user"}
    assert {name for name, mart in marts.items() if mart.schema != "core"} - too_fine == shown
    assert {report.chart for report in reports} == set(CHARTS)
    for report in reports:
        if report.chart not in ("figure", "table"):
            spec = charts.chart(report, report.chart, "count", ["a"], ["red"]).to_dict()
            assert json.dumps(spec).count('"rows"') >= 1
