"""The charts in Vega-Lite. The page gives each the rows to draw, with the fields in FIELDS."""

import altair as alt

from orchestration.page.charts import by_category, by_date
from orchestration.page.declarations import Report

# Those that a chart's rows have: date is in milliseconds, label is the value in words, a bar goes
# from start to end, a spread from low by middle to high, a cell stands in row and column.
FIELDS = ["date", "category", "series", "value", "label", "rank", "start", "end"]
FIELDS += ["low", "middle", "high", "row", "column"]
# What the page sets besides the rows.
_PARAMS = {
    "active": "",
    "from": 0,
    "to": 1,
    "step": 86_400_000,
    "ticks": [],
    "date_format": "%-d %b",
    "top": 1,
    "bottom": 0,
    "value_ticks": [],
    "label_width": 140,
}
_FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
_AXIS = {
    "title": None,
    "domain": False,
    "ticks": False,
    "gridColor": "var(--grid)",
    "labelColor": "var(--muted)",
    "labelFontSize": 11,
    "labelPadding": 7,
}


def chart(
    report: Report, kind: str, unit: str, domain: list[str], colours: list[str]
) -> alt.LayerChart:
    """Return a report's chart; `domain` and `colours` are those of its series or categories."""
    color = alt.Color("series:N", legend=None).scale(domain=domain or [""], range=colours)
    layers = _KINDS[kind](report, by_date.LABELS[unit], color)
    params = [alt.param(name=name, value=value) for name, value in _PARAMS.items()]
    drawn = (
        alt.layer(*layers)
        .add_params(*params)
        .properties(
            width=600,
            height=_height(report),
            padding=0,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure(background="transparent", font=_FONT)
        .configure_view(stroke=None)
        .configure_axis(**_AXIS)
        .configure_text(fontSize=11.5)
    )
    # Altair takes any name for a field; a wrong one would draw nothing.
    unknown = _fields(drawn.to_dict()) - set(FIELDS)
    assert not unknown, f"{kind} draws {unknown}, which the page does not give"  # noqa: S101
    return drawn


def _fields(node: object) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_fields, node))
    if isinstance(node, dict):
        found = set().union(*map(_fields, node.values()))
        return found | {node["field"]} if isinstance(node.get("field"), str) else found
    return set()


def _height(report: Report) -> int | alt.Step:
    steps = {"ranking": 25, "compare": 46, "spread": 26}
    if report.chart in steps:
        return alt.Step(steps[report.chart], **{"for": "position"})
    return {"heatmap": 210, "histogram": 230}.get(report.chart, 270 if report.wide else 230)


_KINDS = {
    "area": by_date.area,
    "columns": by_date.columns,
    "lines": by_date.lines,
    "ranking": by_category.ranking,
    "compare": by_category.compare,
    "spread": by_category.spread,
    "heatmap": by_category.heatmap,
    "histogram": by_category.histogram,
}
