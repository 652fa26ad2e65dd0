"""The reports that the marts declare, checked: a wrong one stops the build and says what to write.

A report in a mart's YAML, under config.meta.report (one, or a list):

    tab: usage            which tab, and
    order: 10             where in it
    title: Tokens by AI   a few words
    note: ...             one line under the title, and
    hint: ...             what can be done on the page, which a PNG leaves out
    chart: ranking        one of CHARTS
    value: total_tokens   the measure, or a list of them where the chart takes several
    category, series, row, column    columns, see CHARTS; rows are dated by the mart's date column
    hover: [requests]     more measures for the hover
    where: {period_type: week}       only these rows
    when_filtered: [cost_by_day_and_ai]   marts to read when a filter needs a column that this lacks
    ignores: [date]       filters that leave it alone
    wide: true            both columns of the page
    scale: log            of the value axis
    good: up              for figures: the direction that is coloured as good
    empty: ...            what to say where there is nothing
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from orchestration.page.marts import Mart, declared_reports, read_mart

TABS = ("usage", "cost", "technical")
# Each chart: what it needs, what it may have, and how many measures it shows.
CHARTS: dict[str, tuple[set[str], set[str], range]] = {
    "figure": (set(), set(), range(1, 2)),
    "area": ({"series"}, set(), range(1, 2)),
    "columns": (set(), {"series"}, range(1, 2)),
    "lines": (set(), {"series"}, range(1, 5)),
    "ranking": ({"category"}, {"series"}, range(1, 2)),
    "compare": ({"category"}, set(), range(2, 3)),
    "spread": ({"category"}, set(), range(3, 4)),
    "heatmap": ({"row", "column"}, {"series"}, range(1, 2)),
    "histogram": (set(), set(), range(1, 2)),
    "table": ({"category"}, set(), range(1, 12)),
}
_DATED = ("figure", "area", "columns", "lines")
_ENCODINGS = ("category", "series", "row", "column")
_FILTERS = ("date", "ai", "user")


@dataclass
class Report:
    """A declared report; the names are those of the YAML keys."""

    mart: str
    tab: str
    order: int
    title: str
    chart: str
    value: list[str]
    note: str = ""
    hint: str = ""
    category: str | None = None
    series: str | None = None
    row: str | None = None
    column: str | None = None
    hover: list[str] = field(default_factory=list)
    where: dict[str, Any] = field(default_factory=dict)
    when_filtered: list[str] = field(default_factory=list)
    ignores: list[str] = field(default_factory=list)
    wide: bool = False
    scale: str = "linear"
    good: str | None = None
    empty: str = "Nothing in this range."
    id: str = ""

    @property
    def columns(self) -> list[str]:
        """The columns that it groups by, besides the date."""
        named = [getattr(self, key) for key in _ENCODINGS] + list(self.where)
        return list(dict.fromkeys(column for column in named if column))

    def to_page(self) -> dict:
        """Return it as the page's script reads it."""
        return {key: value for key, value in asdict(self).items() if value not in (None, [], {})}


def read_declarations(nodes: list[dict]) -> tuple[dict[str, Mart], list[Report]]:
    """Return the marts by name, and their reports in the order of the page.

    Raises:
        UserError: a declaration is wrong; names the file and the key, and what is allowed.
    """
    marts = {node["name"]: read_mart(node) for node in nodes}
    reports = []
    for node in nodes:
        mart = marts[node["name"]]
        charts = 0
        for declared in declared_reports(node, mart):
            report = _read_report(mart, marts, declared)
            if report.chart == "figure":
                report.id = f"{mart.name}-{report.value[0]}"
            else:
                charts += 1
                report.id = mart.name if charts == 1 else f"{mart.name}-{charts}"
            reports.append(report)
    reports.sort(key=lambda report: (TABS.index(report.tab), report.order, report.mart, report.id))
    return marts, reports


def _read_report(mart: Mart, marts: dict[str, Mart], declared: dict) -> Report:
    allowed = set(Report.__dataclass_fields__) - {"mart", "id"}

    def key(name: str) -> str:
        return f"config.meta.report.{name}"

    def one_of(name: str, choices: Any) -> None:
        given = declared.get(name)
        for value in given if isinstance(given, list | dict) else [given]:
            if value not in choices:
                problem = "is missing" if value is None else f"is {value!r}"
                raise mart.error(key(name), problem, ", ".join(map(str, choices)))

    for name in declared:
        if name not in allowed:
            raise mart.error(key(name), "is not known", ", ".join(sorted(allowed)))
    one_of("tab", TABS)
    one_of("chart", CHARTS)
    for name, kind in (("order", int), ("title", str)):
        if not declared.get(name) or not isinstance(declared[name], kind):
            raise mart.error(key(name), "is missing or no " + kind.__name__, kind.__name__)
    for name, choices in (("ignores", _FILTERS), ("scale", ("linear", "log"))):
        if name in declared:
            one_of(name, choices)
    if "good" in declared:
        one_of("good", ("up", "down"))

    chart = declared["chart"]
    needs, may, how_many = CHARTS[chart]
    for name in _ENCODINGS:
        if name in needs or name in declared:
            if name not in needs | may:
                raise mart.error(key(name), f"is not for {chart}", ", ".join(needs | may) or "none")
            one_of(name, mart.dimensions)
    if chart in _DATED and not mart.date:
        raise mart.error(key("chart"), f"{chart} needs a date column", "a chart without dates")

    values = declared.get("value")
    declared = {**declared, "value": values if isinstance(values, list) else [values]}
    for name in ("value", "hover"):
        if name in declared:
            one_of(name, mart.measures)
    if len(declared["value"]) not in how_many:
        raise mart.error(
            key("value"), "has too few or too many", f"{how_many[0]} to {how_many[-1]}"
        )
    if "where" in declared:
        one_of("where", mart.dimensions)
    if "when_filtered" in declared:
        one_of("when_filtered", sorted(marts))
    report = Report(mart=mart.name, **declared)
    for name in report.when_filtered:
        _check_stand_in(mart, marts[name], report)
    return report


def _check_stand_in(mart: Mart, other: Mart, report: Report) -> None:
    """A mart that is read instead must have what the chart shows."""
    missing = [c for c in report.columns if c not in other.dimensions]
    missing += [m for m in report.value if m not in other.measures]
    if report.chart in _DATED and not other.date:
        missing.append("a date")
    if missing:
        raise mart.error(
            "config.meta.report.when_filtered",
            f"names {other.name}, which lacks {', '.join(missing)}",
            "marts with the chart's columns and measures",
        )
