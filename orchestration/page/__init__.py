"""Compiles the published tables into a static page: no server, no outside request.

    index.html    everything but large data: charts (Vega-Lite, compiled), styles, scripts
    data/*.js     large marts, and the days of each user; loaded when asked for, from disk too

What it shows is declared in the marts' YAML, see declarations.py. A mart's way to the screen:
packing.py (rows to JSON), data.js (filter and add up), draw.js (what to draw), view.js (Vega),
picture.js (what is seen, as a PNG).
"""

import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import duckdb

from orchestration.files import quoted
from orchestration.page import colours
from orchestration.page.declarations import TABS, Report, read_declarations
from orchestration.page.html import html
from orchestration.page.keeping import kept
from orchestration.page.labels import label, unit
from orchestration.page.marts import Mart
from orchestration.page.packing import OTHER_USERS, Packer

# JSON longer than this stands in a file of its own, so that the page opens at once.
_INLINE_BYTES = 250_000
_USERS_PER_FILE = 20
_MOST_SERIES = 12
_EPOCH = date(1970, 1, 1)
# Stand in a compiled chart for the names of its series or categories, and their colours.
_DOMAIN, _COLOURS = "{domain}", "{colours}"


def build_page(
    database: Path, models: list[dict], folder: Path, temporary: Path, built_at: str, zone: str
) -> None:
    """Write the page on a published file's tables into `folder`.

    `models` are the manifest's nodes of the public models.

    Raises:
        UserError: a report is declared wrongly; names the file, the key and what is allowed.
    """
    marts, reports = read_declarations(models)
    (folder / "data").mkdir(parents=True)
    config = {"memory_limit": "1GB", "temp_directory": str(temporary)}
    with duckdb.connect(config=config) as connection, kept() as of:
        connection.execute(f"attach '{quoted(database)}' as reports (read_only)")
        services = connection.execute(
            "select ai_service, providers from reports.core.dim_ai_services order by providers, 1"
        ).fetchall()
        first, last = connection.execute(
            "select min(usage_date), max(usage_date) from reports.usage.usage_by_day"
        ).fetchone()
        page = {
            "built_at": built_at,
            "zone": zone,
            "first": first and (first - _EPOCH).days,
            "last": last and (last - _EPOCH).days,
            "tabs": TABS,
            "services": [name for name, _ in services],
            **_data(connection, marts, reports, folder),
        }
        page |= _charts(connection, marts, reports, services, of)
        bundle = of(["bundle"], _bundle)
    (folder / "index.html").write_text(html(page, services, bundle), encoding="utf-8")


def _data(
    connection: duckdb.DuckDBPyConnection,
    marts: dict[str, Mart],
    reports: list[Report],
    folder: Path,
) -> dict:
    """Return the marts and what they hold, if it is small; else write it beside the page."""
    packer = Packer(connection, marts)
    users = packer.users()
    read: dict[str, list[Report]] = {}
    for report in reports:
        for name in (report.mart, *report.when_filtered):
            read.setdefault(name, []).append(report)
    parts = {name: packer.pack(marts[name], by) for name, by in sorted(read.items())}
    parts["users"] = json.dumps(users, ensure_ascii=False, separators=(",", ":"))
    for name in [name for name, text in parts.items() if len(text) > _INLINE_BYTES]:
        _write_part(folder, name, parts.pop(name))
    with_user = [marts[name] for name in sorted(read) if "user_id" in marts[name].columns]
    for number, text in packer.users_days(with_user, _USERS_PER_FILE):
        _write_part(folder, f"users_{number}", text)
    measures = sorted({measure for name in read for measure in marts[name].measures})
    return {
        "others": OTHER_USERS,
        "users_per_file": _USERS_PER_FILE,
        "shared_names": sorted(n for n, k in Counter(name for _, name in users).items() if k > 1),
        "measures": {m: {"label": label(m), "unit": unit(m)} for m in measures},
        "marts": {name: marts[name].to_page() for name in sorted(read)},
        "parts": {name: json.loads(text) for name, text in parts.items()},
    }


def _charts(
    connection: duckdb.DuckDBPyConnection,
    marts: dict[str, Mart],
    reports: list[Report],
    services: list[tuple[str, str]],
    of: Callable,
) -> dict:
    """Return the reports, and their charts compiled to Vega; `of` is that of keeping.py."""
    shown, specs = [], {}
    for report in reports:
        domain, shades = _series(connection, marts[report.mart], report, services)
        colours_of = {"domain": domain, "colours": shades} if domain else {}
        shown.append(report.to_page() | colours_of)
        if report.chart in ("table", "figure"):
            continue
        specs[report.id] = {}
        # Columns stand in for an area where it would be drawn of few dates.
        for kind in (report.chart, "columns") if report.chart == "area" else (report.chart,):
            made_of = [report.to_page(), kind, unit(report.value[0])]
            spec = of(made_of, partial(_compiled, report, kind))
            specs[report.id][kind] = _filled(spec, domain or [""], shades)
    return {"reports": shown, "specs": specs}


def _compiled(report: Report, kind: str) -> dict:
    """Return the chart as Vega, with marks where its names and colours belong."""
    # Both take long to import, and few nights need them.
    import vl_convert

    from orchestration.page.charts import chart

    drawn = chart(report, kind, unit(report.value[0]), [_DOMAIN], [_COLOURS])
    return vl_convert.vegalite_to_vega(drawn.to_dict())


def _filled(spec: object, domain: list[str], shades: list[str]) -> object:
    """Return a compiled chart with its names and colours."""
    if isinstance(spec, dict):
        return {key: _filled(value, domain, shades) for key, value in spec.items()}
    if isinstance(spec, list):
        if spec == [_COLOURS]:
            return shades
        return domain if spec == [_DOMAIN] else [_filled(part, domain, shades) for part in spec]
    if isinstance(spec, str):  # an expression may have the names, too
        return spec.replace(json.dumps([_DOMAIN]), json.dumps(domain, separators=(",", ":")))
    return spec


def _bundle() -> str:
    """Return Vega's scripts."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _series(
    connection: duckdb.DuckDBPyConnection,
    mart: Mart,
    report: Report,
    services: list[tuple[str, str]],
) -> tuple[list[str], list[str]]:
    """Return the names that a chart has colours for, and the colours."""
    by = report.series or (report.category if report.category == "ai_service" else None)
    if report.chart == "compare" or (report.chart == "lines" and len(report.value) > 1):
        names = [label(measure) for measure in report.value]
    elif by == "ai_service":
        return [name for name, _ in services], [f"var(--ai-{n})" for n in range(len(services))]
    elif by:
        value = report.value[0]
        rows = connection.execute(
            f"select {by} from reports.{mart.schema}.{mart.name} "
            f"group by 1 order by sum({value}) desc, 1 limit {_MOST_SERIES}"
        ).fetchall()
        names = [str(name) for (name,) in rows]
    else:
        return [], ["var(--accent)"]
    count = len(colours.of_categories())
    return names, [f"var(--kind-{n % count})" for n in range(len(names))]


def _write_part(folder: Path, name: str, text: str) -> None:
    script = f"receive({json.dumps(name)},{text})\n"
    (folder / "data" / f"{name}.js").write_text(script, encoding="utf-8")
