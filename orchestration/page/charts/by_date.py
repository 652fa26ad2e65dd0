"""What charts over time draw, and what all charts share."""

import altair as alt

from orchestration.page.declarations import Report

ROWS = alt.NamedData("rows")
HOVERED = alt.NamedData("hovered")
FADED = alt.condition("active == '' || datum.series == active", alt.value(1), alt.value(0.22))
LABELS = {
    "usd": "(datum.value >= 1000 ? '$' + format(datum.value, ',.0f') : "
    "'$' + format(datum.value, datum.value < 1 && datum.value > 0 ? '.3~f' : ',.2~f'))",
    "ms": "datum.value >= 1000 ? format(datum.value / 1000, ',.3~g') + ' s' : "
    "format(datum.value, '.3~g') + ' ms'",
    "s": "datum.value >= 3600 ? format(datum.value / 3600, '.2~g') + ' h' : datum.value >= 60 ? "
    "format(datum.value / 60, '.2~g') + ' min' : format(datum.value, '.2~g') + ' s'",
    "share": "format(datum.value, '.1~%')",
    "count": "datum.value < 1 ? format(datum.value, '.2~g') : "
    "replace(replace(format(datum.value, '.3~s'), 'G', 'B'), 'k', 'K')",
}


def _date() -> alt.X:
    return (
        alt.X("date:Q")
        .scale(type="utc", nice=False, domainMin=alt.ExprRef("from"), domainMax=alt.ExprRef("to"))
        .axis(
            grid=False,
            values=alt.ExprRef("ticks"),
            labelExpr="utcFormat(datum.value, date_format)",
            labelOverlap=True,
            labelFlush=True,
        )
    )


def value_axis(label: str, scale: str = "linear") -> alt.Y:
    """Return the axis that carries the measure."""
    y = alt.Y("value:Q").axis(tickCount=5, labelExpr=label)
    if scale == "log" or label == LABELS["s"]:
        # These have no round decimal steps.
        y = y.axis(values=alt.ExprRef("value_ticks"), labelExpr=label)
    if scale == "log":
        return y.scale(
            type="log", domainMin=alt.ExprRef("bottom"), domainMax=alt.ExprRef("top"), nice=False
        )
    return y.scale(zero=True, nice=True)


def _crosshair() -> alt.Chart:
    return (
        alt.Chart(HOVERED)
        .mark_rule(color="var(--ink)", strokeWidth=1, opacity=0.55)
        .encode(x="date:Q")
    )


def area(report: Report, label: str, color: alt.Color) -> list[alt.Chart]:
    """Stacked areas."""
    area = (
        alt.Chart(ROWS)
        .mark_area(strokeWidth=0.6, stroke="var(--card)")
        .encode(
            x=_date(), y=value_axis(label).stack("zero"), color=color, opacity=FADED, order="rank:Q"
        )
    )
    return [area, _crosshair()]


def columns(report: Report, label: str, color: alt.Color) -> list[alt.Chart]:
    """Stacked columns."""
    width = alt.ExprRef("max(1, min(64, 0.78 * width * step / (to - from)))")
    bars = (
        alt.Chart(ROWS)
        .mark_bar(width=width)
        .encode(
            x=_date(), y=value_axis(label).stack("zero"), color=color, opacity=FADED, order="rank:Q"
        )
    )
    return [bars, _crosshair()]


def lines(report: Report, label: str, color: alt.Color) -> list[alt.Chart]:
    """Lines, with a dot where a value stands alone."""
    lines = (
        alt.Chart(ROWS)
        .mark_line(strokeWidth=1.8, strokeJoin="round")
        .encode(x=_date(), y=value_axis(label, report.scale), color=color, opacity=FADED)
    )
    # A day with nothing on either side has no line.
    alone = (
        alt.Chart(ROWS)
        .mark_point(filled=True, size=36, opacity=1)
        .encode(x="date:Q", y="value:Q", color=color, opacity=FADED)
        .transform_filter("datum.rank < 0")
    )
    dots = (
        alt.Chart(HOVERED)
        .mark_point(filled=True, size=48, stroke="var(--card)", strokeWidth=1.5, opacity=1)
        .encode(x="date:Q", y="value:Q", color=color)
        .transform_filter("isValid(datum.value)")
    )
    return [lines, alone, _crosshair(), dots]
