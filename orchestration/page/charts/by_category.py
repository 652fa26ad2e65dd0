"""What charts by category draw: rankings, pairs, spreads, heat maps and histograms."""

import altair as alt

from orchestration.page.charts.by_date import FADED, HOVERED, ROWS, value_axis
from orchestration.page.declarations import Report


def _category() -> alt.Y:
    return (
        alt.Y("category:N")
        .sort(field="rank", op="min")
        .axis(
            grid=False,
            labelColor="var(--ink)",
            labelLimit=alt.ExprRef("label_width"),
            labelFontSize=12,
        )
        .scale(paddingInner=0.32, paddingOuter=0.1)
    )


def _across(**more: object) -> alt.X:
    return alt.X(**more).axis(None).scale(domainMin=0, domainMax=alt.ExprRef("top"), nice=False)


def ranking(report: Report, label: str, color: alt.Color) -> list[alt.Chart]:
    """Bars with the value beside them, stacked where there are series."""
    bars = (
        alt.Chart(ROWS)
        .mark_bar(cornerRadius=0 if report.series else 2)
        .encode(
            y=_category(), x=_across(shorthand="start:Q"), x2="end:Q", color=color, opacity=FADED
        )
    )
    text = (
        alt.Chart(ROWS)
        .mark_text(align="left", dx=6, color="var(--muted)")
        .encode(y=_category(), x=_across(shorthand="end:Q"), text="label:N")
        .transform_filter("datum.label != ''")
    )
    return [bars, text]


def compare(report: Report, label: str, color: alt.Color) -> list[alt.Chart]:
    """Two bars each: its share of one measure beside that of another."""
    pair = alt.YOffset("series:N").sort(field="rank", op="min").scale(paddingInner=0.12)
    bars = (
        alt.Chart(ROWS)
        .mark_bar(cornerRadius=2)
        .encode(
            y=_category(), yOffset=pair, x=_across(shorthand="value:Q"), color=color, opacity=FADED
        )
    )
    text = (
        alt.Chart(ROWS)
        .mark_text(align="left", dx=6, color="var(--muted)")
        .encode(y=_category(), yOffset=pair, x=_across(shorthand="value:Q"), text="label:N")
    )
    return [bars, text]


def spread(report: Report, label: str, color: alt.Color) -> list[alt.Chart]:
    """A dot each for low, middle and high, on a log scale."""

    def x(name: str) -> alt.X:
        return (
            alt.X(f"{name}:Q")
            .axis(values=alt.ExprRef("value_ticks"), labelExpr=label, grid=True)
            .scale(
                type="log",
                nice=False,
                domainMin=alt.ExprRef("bottom"),
                domainMax=alt.ExprRef("top"),
            )
        )

    base = alt.Chart(ROWS).encode(y=_category(), color=color, opacity=FADED)
    return [
        base.mark_rule(strokeWidth=1.5, opacity=0.5).encode(x=x("low"), x2="high:Q"),
        base.mark_rule(strokeWidth=4, opacity=0.75).encode(x=x("low"), x2="middle:Q"),
        base.mark_point(filled=True, size=95, opacity=1).encode(x=x("low")),
        base.mark_point(filled=True, size=42, opacity=1).encode(x=x("middle")),
        base.mark_point(fill="var(--card)", size=42, opacity=1).encode(x=x("high")),
    ]


def heatmap(report: Report, label: str, color: alt.Color) -> list[alt.Chart]:
    """Cells, the fuller the more."""
    cells = (
        alt.Chart(ROWS)
        .mark_rect(color="var(--accent)", cornerRadius=2, stroke="var(--card)", strokeWidth=1.5)
        .encode(
            x=alt.X("column:O").axis(
                labelAngle=0, labelExpr="datum.value % 3 ? '' : pad(datum.value, 2, '0', 'left')"
            ),
            y=alt.Y("row:O").axis(
                labelExpr="['', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][datum.value]"
            ),
            fillOpacity=alt.FillOpacity("value:Q", legend=None).scale(
                domainMin=0, domainMax=alt.ExprRef("top"), range=[0.05, 1]
            ),
        )
    )
    outline = (
        alt.Chart(HOVERED)
        .mark_rect(filled=False, stroke="var(--ink)", strokeWidth=1.5, cornerRadius=2)
        .encode(x="column:O", y="row:O")
    )
    return [cells, outline]


def histogram(report: Report, label: str, color: alt.Color) -> list[alt.Chart]:
    """Columns in the order of their rank."""
    bars = (
        alt.Chart(ROWS)
        .mark_bar(cornerRadiusEnd=2, color="var(--accent)")
        .encode(
            x=alt.X("category:N")
            .sort(field="rank", op="min")
            .axis(labelAngle=0, labelOverlap=True)
            .scale(paddingInner=0.12),
            y=value_axis(label),
            opacity=alt.condition(
                "active == '' || datum.category == active", alt.value(1), alt.value(0.4)
            ),
        )
    )
    return [bars]
