"""The Reports page in a browser: what it shows is what a query on the published tables gives."""

import base64
import csv
import functools
import http.server
import io
import json
import random
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from math import log
from pathlib import Path
from urllib.parse import urlencode

import pytest
from conftest import PROJECT, Warehouse

from orchestration.page.labels import label

CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="The page's tests need playwright")
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="NO BROWSER: the page is not tested; install Debian's chromium"
)

LAST = date(2026, 11, 20)
DAYS = 100
USERS = ["ada@example.com", "<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>"]
MODELS = [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("acme", "acme-chat")]
RANGE = f"usage_date > date '{LAST}' - 30 and usage_date <= date '{LAST}'"


def events() -> Iterator[dict]:
    chance = random.Random(7)
    for number in range(DAYS * 12):
        at = datetime(LAST.year, LAST.month, LAST.day) - timedelta(days=number // 12)
        provider, model = chance.choice(MODELS)
        yield {
            "request_id": f"r{number}",
            "requested_at": (at + timedelta(seconds=chance.randrange(86_400))).isoformat() + "Z",
            "provider": provider,
            "model": model,
            "user_id": chance.choice(USERS),
            "session_id": f"s{number // 4}",
            "prompt_id": f"p{number // 2}-{number % 12}",
            "status": "failure" if chance.random() < 0.1 else "success",
            "input_tokens": chance.randrange(10, 5_000),
            "output_tokens": chance.randrange(10, 2_000),
            "response_time_ms": chance.randrange(200, 20_000),
            "time_to_first_token_ms": chance.randrange(50, 200),
            "cost_usd": number / 1000,
        }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, dbt_target: Path) -> Iterator[Warehouse]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("page") / "home"
        patch.setenv("AI_USAGE_HOME", str(home))
        warehouse = Warehouse(home, dbt_target)
        warehouse.write("gateway/events.jsonl", "\n".join(map(json.dumps, events())))
        warehouse.ingest()
        warehouse.dbt("build", "--exclude-resource-type", "unit_test", "test")
        warehouse.publish(page=True)
        yield warehouse


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as started:
        # Debian's sandbox does not start as root, as in CI.
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(built: Warehouse) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(built.home / "published/page"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


@pytest.fixture
def opened(built: Warehouse, browser) -> Iterator[Callable]:
    """Open the page, from disk unless told; nothing may go wrong, or out, while it is open."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    faults, asked = [], []

    def open_page(address: str = "", url: str = ""):
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((url or f"file://{built.home}/published/page/index.html") + f"#{address}")
        return ready(page)

    yield open_page
    context.close()
    assert faults == []
    inside = re.compile(r"file:///|http://127\.0\.0\.1:|blob:")
    assert [url for url in asked if not inside.match(url)] == []


def ready(page):
    """Wait until what the address says is drawn; the page's policy forbids wait_for_function."""
    page.wait_for_timeout(30)
    fragment = page.evaluate("location.hash").split("tab=")[-1]
    page.wait_for_selector(f"body[data-ready$={json.dumps(fragment)}]")
    return page


def hover(page, chart: str, across: float = 0.6, down: float = 0.6) -> dict:
    """Move the mouse onto a chart; return the hover's title, rows and total as it shows them."""
    drawing = page.locator(f"#{chart} .chart")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    at = box["x"] + box["width"] * across, box["y"] + box["height"] * down
    page.mouse.move(at[0] - 3, at[1])
    page.mouse.move(*at)
    page.wait_for_selector("#tooltip:not([hidden])")
    rows = page.locator("#tooltip tbody tr").all()
    cells = [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]
    total = [cell.inner_text() for cell in page.locator("#tooltip tfoot td").all()]
    title = page.locator("#tooltip strong").inner_text()
    header = [cell.inner_text() for cell in page.locator("#tooltip thead th").all()]
    return {
        "title": title,
        "header": header,
        "rows": {row[0].strip(): row[1:] for row in cells},
        "total": total,
    }


def number(text: str) -> float | None:
    """Read a number as the hover shows it."""
    if text in ("\N{EN DASH}", "unpriced"):
        return None
    value = float(re.sub(r"[^0-9.\-]", "", text.split("(")[0]))
    return value / 100 if text.endswith("%") else value


def day(title: str) -> str:
    return datetime.strptime(title.replace("Sept", "Sep"), "%a, %d %b %Y").date().isoformat()


def week(title: str) -> str:
    """Return the first day of '9 Nov - 15 Nov 2026'; the year stands at the end only."""
    first, last = title.replace("Sept", "Sep").split(" \N{EN DASH} ")
    end = datetime.strptime(last, "%d %b %Y").date()
    return (end - timedelta(days=6)).isoformat() if first else last


def weekday(title: str) -> str:
    names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    name, hours = title.split(" ")
    return f"weekday = {names.index(name) + 1} and hour_of_day = {int(hours[:2])} and {RANGE}"


def lengths(title: str) -> str:
    """Fourteen buckets of the mart make a bar: the one that begins with 'about so long to ...'."""
    seconds = {"h": 3600, "min": 60, "s": 1}
    parts = re.findall(r"([\d.]+) (h|min|s)", title.split(" to ")[0])
    low = sum(float(number) * seconds[unit] for number, unit in parts)
    bar = round(log(low) / log(1.05) / 14) if low else None
    bounds = [0, 0.999] if bar is None else [1.05 ** (14 * n) * 0.999 for n in (bar, bar + 1)]
    return (
        f"session_length_from_s >= {bounds[0]} and session_length_from_s < {bounds[1]} and {RANGE}"
    )


def on_day(title: str) -> str:
    return f"usage_date = '{day(title)}'"


def category(column: str) -> Callable[[str], str]:
    return lambda title: f"{column} = '{title}' and {RANGE}"


BY_AI = category("ai_service")
BY_USER = category("user_id")
TYPE = "replace(token_type, '_', ' ')"
QUANTILE = "quantile_cont(response_time_ms, {}) filter (status = 'success')"
# Each chart: the table, the names in the hover, their first number, and the rows behind a title.
CHARTS = {
    "usage": {
        "tokens_by_day_and_ai": (
            "usage.tokens_by_day_and_ai", "ai_service", "sum(total_tokens)", on_day,
        ),
        "tokens_by_ai": ("usage.tokens_by_day_and_ai", "'Tokens'", "sum(total_tokens)", BY_AI),
        "tokens_by_user_and_ai": (
            "cost.cost_by_day_ai_and_user", "ai_service", "sum(total_tokens)", BY_USER,
        ),
        "user_prompts": ("usage.user_prompts", "'Prompts'", "sum(prompts)", on_day),
        "requests_over_time": (
            "usage.requests_over_time", "ai_service", "sum(requests)",
            lambda title: f"cast(usage_hour as date) = '{day(title)}'",
        ),
        "total_prompts_by_ai": (
            "usage.total_prompts_by_ai", "'Prompts'", "sum(prompts)",
            lambda title: f"ai_service = '{title}'",
        ),
        "token_usage_details": ("usage.token_usage_details", TYPE, "sum(tokens)", on_day),
        "token_usage_details-2": (
            "usage.token_usage_details", TYPE, "sum(tokens)", category("model"),
        ),
    },
    "cost": {
        "cost_by_day_and_ai": ("cost.cost_by_day_and_ai", "ai_service", "sum(cost_usd)", on_day),
        "cost_by_day_and_ai-2": ("cost.cost_by_day_and_ai", "'Cost'", "sum(cost_usd)", BY_AI),
        "cost_by_day_ai_and_user": (
            "cost.cost_by_day_ai_and_user", "ai_service", "sum(cost_usd)", BY_USER,
        ),
        "cost_by_team": (
            "cost.cost_by_team", "'Cost'", "sum(cost_usd)", category("team_id"),
        ),
        "cost_by_day_and_ai-3": (
            "cost.cost_by_day_and_ai", "ai_service", "sum(cost_per_million_tokens_usd)", on_day,
        ),
        "cost_by_day_and_ai-4": (
            "cost.cost_by_day_and_ai", "'Tokens'", "sum(total_tokens)", BY_AI,
        ),
        "cost_by_day_and_ai-5": (
            "cost.cost_by_day_and_ai", "'Unpriced tokens'", "sum(unpriced_tokens)", BY_AI,
        ),
        "time_of_use": ("cost.time_of_use", "ai_service", "sum(requests)", weekday),
    },
    "technical": {
        "response_times": ("core.fct_requests", "'Median'", QUANTILE.format(0.5), on_day),
        "response_times-2": ("core.fct_requests", "'p95'", QUANTILE.format(0.95), BY_AI),
        "response_averages_by_user": (
            "technical.response_averages_by_user", "'p95'",
            "sum(p95_response_time_ms * responses) / sum(responses)", BY_USER,
        ),
        "response_averages_by_ai": (
            "technical.response_averages_by_ai", "ai_service",
            "sum(avg_time_to_first_token_ms)", on_day,
        ),
        "usage_by_ai_service-2": (
            "usage.usage_by_ai_service", "ai_service",
            "sum(failed_requests) / sum(requests)", on_day,
        ),
        "session_averages_by_ai": (
            "technical.session_averages_by_ai", "ai_service", "sum(avg_session_length_s)", on_day,
        ),
        "errors_by_type": (
            "technical.errors_by_type", "ai_service", "sum(failed_requests)",
            category("error_type"),
        ),
        "session_lengths": (
            "technical.session_lengths", "'Sessions'", "coalesce(sum(sessions), 0)", lengths,
        ),
        "long_term_trends-2": (
            "technical.long_term_trends", "ai_service", "sum(total_tokens)",
            lambda title: f"period_type = 'month' and strftime(period_start, '%B %Y') = '{title}'",
        ),
        "long_term_trends": (
            "technical.long_term_trends", "ai_service", "sum(total_tokens)",
            lambda title: f"period_type = 'week' and period_start = '{week(title)}'",
        ),
    },
}  # fmt: skip


@pytest.mark.parametrize("from_disk", [True, False])
def test_each_tab_and_chart_is_drawn(opened, served: str, from_disk: bool) -> None:
    page = opened("tab=usage", "" if from_disk else served)
    for tab, charts in CHARTS.items():
        page.get_by_role("tab", name=tab.capitalize()).click()
        ready(page)
        assert page.get_by_role("tab", selected=True).inner_text().lower() == tab
        cards = page.locator(f"#panel-{tab} .card").all()
        drawings = page.locator(f"#panel-{tab} .card:not(.table)").all()
        assert set(charts) == {card.get_attribute("id") for card in drawings}
        for card in cards:
            assert int(card.locator(".chart").get_attribute("data-drawn")) > 0
        assert page.locator(f"#panel-{tab} .figure").count() == 4
        assert page.locator(f"#panel-{tab} .figure path.line").count() == 4
    # The arrow keys go from tab to tab.
    page.get_by_role("tab", name="Technical").press("ArrowRight")
    assert page.get_by_role("tab", selected=True).inner_text() == "Usage"


SUMS = {"requests", "failed_requests", "responses", "total_tokens", "input_tokens", "output_tokens"}
SUMS |= {"cost_usd", "reported_cost_usd", "sessions"}


@pytest.mark.parametrize("tab", CHARTS)
def test_hover_shows_what_a_query_gives(opened, built: Warehouse, tab: str) -> None:
    page = opened(f"tab={tab}&range=30")
    declared = json.loads(page.locator("#page").text_content())["reports"]
    reports = {report["id"]: report for report in declared}
    for chart, (table, names, value, where) in CHARTS[tab].items():
        # Most sessions are long, so that is where the histogram has its columns.
        shown = hover(page, chart, 0.95 if chart == "session_lengths" else 0.6)
        report = reports[chart]
        # The number that is drawn, and the measures behind it that add up.
        columns = {name for name, *_ in built.published(f"describe {table}")}
        behind = [name for name in report.get("hover", []) if name in SUMS & columns]
        sums = "".join(f", sum({name})" for name in behind)
        expected = built.published(
            f"select {names}, {value}{sums} from {table} where {where(shown['title'])} group by 1"
        )
        assert expected, (chart, shown)
        for name, amount, *amounts in expected:
            # Percentiles of a range are read from buckets 5 % wide.
            within = 0.06 if chart.startswith("response_times") else 1e-4
            # Milliseconds and long times are shown whole.
            whole = chart in ("session_averages_by_ai", "response_averages_by_ai")
            near = {"abs": 0.51} if whole else {"rel": within, "abs": 6e-5}
            about = None if amount is None else pytest.approx(float(amount), **near)
            assert number(shown["rows"][name][0]) == about, (chart, shown, expected)
            for measure, true in zip(behind, amounts, strict=True):
                text = (
                    shown["rows"][name][shown["header"].index(label(measure))]
                    if shown["header"]
                    else shown["rows"][label(measure)][0]
                )
                if text == "unpriced":
                    assert not true, (chart, measure, shown)
                else:
                    about = None if true is None else pytest.approx(float(true), abs=6e-5)
                    assert number(text) == about, (chart, measure, shown, expected)


def test_filters_reach_charts_and_key_figures(opened, built: Warehouse) -> None:
    page = opened("tab=usage&range=all")

    def tokens(where: str, table: str = "cost.cost_by_day_ai_and_user") -> int:
        return built.published(f"select sum(total_tokens) from {table} where {where}")[0][0]

    def shown() -> list[float]:
        ready(page)
        figure = page.locator("#usage_by_day-total_tokens").get_attribute("data-value")
        chart = hover(page, "tokens_by_ai", 0.3, 0.2)
        return [float(figure), number(chart["rows"]["Tokens"][0])]

    most = built.published(
        "select ai_service, total_tokens from usage.tokens_by_ai order by 2 desc limit 1"
    )[0]
    assert shown() == [tokens("true"), most[1]]
    assert page.locator("#tokens_by_day_and_ai .chip").inner_text() == "by week"

    page.get_by_role("button", name="7 days").click()
    week = f"usage_date > date '{LAST}' - 7"
    assert shown()[0] == tokens(week)
    page.locator("#ai").select_option("OpenAI")
    assert shown() == [tokens(f"{week} and ai_service = 'OpenAI'")] * 2
    page.locator("#user").fill(USERS[0])
    page.locator("#user").press("Enter")
    page.locator("#user").blur()
    mine = f"ai_service = 'OpenAI' and user_id = '{USERS[0]}'"
    assert shown() == [tokens(f"{week} and {mine}")] * 2
    # What a filter cannot reach says so.
    assert page.locator("#total_prompts_by_ai .missed").all_inner_texts() == [
        "all dates",
        "all users",
    ]

    page.locator("#from").fill("2026-09-01")
    page.locator("#to").fill("2026-10-15")
    page.locator("#to").blur()
    own = "usage_date between '2026-09-01' and '2026-10-15'"
    assert shown() == [tokens(f"{own} and {mine}")] * 2

    # The address has it all: another window opens on the same view.
    address = page.evaluate("location.hash")[1:]
    assert "range=2026-09-01..2026-10-15" in address
    again = opened(address)
    assert again.locator("#usage_by_day-total_tokens strong").inner_text() == (
        page.locator("#usage_by_day-total_tokens strong").inner_text()
    )
    assert again.locator("#ai").input_value() == "OpenAI"
    page.get_by_role("button", name="Reset").click()
    assert shown()[0] == tokens(RANGE)


def test_key_figures_and_their_change(opened, built: Warehouse) -> None:
    page = opened("tab=technical&range=30")
    now, before = (
        built.published(
            "select sum(failed_requests) / sum(requests) from usage.usage_by_user where usage_date "
            f"> date '{LAST}' - {days} and usage_date <= date '{LAST}' - {days - 30}"
        )[0][0]
        for days in (30, 60)
    )
    figure = page.locator("#usage_by_ai_service-error_rate")
    assert float(figure.get_attribute("data-value")) == pytest.approx(now)
    # Of a percentage the difference counts.
    change = figure.locator("b").inner_text()
    assert change.endswith(" points")
    change = number(change.replace("\N{MINUS SIGN}", "-"))
    assert change == pytest.approx(100 * (now - before), abs=0.06)
    assert (
        opened("tab=technical&range=all").locator("#usage_by_ai_service-error_rate p").inner_text()
        == "no earlier days to compare"
    )


def test_shares_are_rounded_and_means_are_called_so(opened, built: Warehouse) -> None:
    page = opened("tab=usage&range=30")
    sums = built.published(
        f"select ai_service, sum(total_tokens) from usage.tokens_by_day_and_ai where {RANGE} "
        "group by 1 order by 2 desc"
    )
    total = sum(tokens for _, tokens in sums)
    drawn = page.locator("#tokens_by_ai .chart svg").text_content()
    assert re.findall(r"\d+%", drawn) == [f"{tokens / total * 100:.0f}%" for _, tokens in sums]
    script = (PROJECT / "orchestration/page/browser/format.js").read_text()
    shares = page.evaluate(
        f"(() => {{ {script}; return [0, 0.0073, 0.0049, 0.236, 0.9951].map(roundShare); }})()"
    )
    assert shares == ["0%", "1%", "<1%", "24%", "100%"]
    heads = page.locator("#usage_by_user th").all_inner_texts()
    assert "Prompts a day" in heads or "Prompts" in heads
    assert not any(text[:1].islower() for text in heads)


def test_what_was_chosen_is_a_step_back(opened) -> None:
    page = opened("tab=usage&range=30")
    page.get_by_role("button", name="7 days").click()
    ready(page)
    page.get_by_role("tab", name="Cost").click()
    ready(page)
    page.locator("#ai").select_option("OpenAI")
    ready(page)
    for address in ("#tab=cost&range=7", "#tab=usage&range=7", "#tab=usage&range=30"):
        page.go_back()
        ready(page)
        assert page.evaluate("location.hash") == address
    assert page.get_by_role("tab", selected=True).inner_text() == "Usage"
    page.go_forward()
    ready(page)
    assert page.get_by_role("button", name="7 days").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("2026-10-15..2026-09-01", "2026-09-01..2026-10-15"),
        ("2026-11-01..2027-03-01", "2026-11-01..2026-11-20"),
        ("2027-01-01..2027-03-01", "30"),
        ("2026-02-31..2026-03-99", "30"),
    ],
)
def test_a_range_that_cannot_be_is_put_right_with_a_word(opened, asked: str, shown: str) -> None:
    page = opened(f"tab=usage&range={asked}")
    assert page.evaluate("location.hash") == f"#tab=usage&range={shown}"
    assert f"asked for {asked}" in page.locator("#amended").inner_text()
    page.get_by_role("button", name="7 days").click()
    ready(page)
    assert page.locator("#amended").inner_text() == ""


def test_click_filters_by_ai_and_by_user(opened) -> None:
    page = opened("tab=usage&range=all")
    hover(page, "tokens_by_ai", 0.4, 0.2)
    page.mouse.down()
    page.mouse.up()
    ready(page)
    assert page.locator("#ai").input_value() in ("OpenAI", "Anthropic Claude", "acme")
    name = page.locator("#usage_by_user .link").first.inner_text()
    page.locator("#usage_by_user .link").first.click()
    ready(page)
    assert page.locator("#user").input_value() == name


CELLS = "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))"


def comparable(rows: list) -> list[tuple[tuple[str, ...], list[float]]]:
    """The texts and the numbers of each row, in one order."""
    parted = []
    for row in rows:
        texts, numbers = [], []
        for value in row:
            text = f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
            text = text.lower() if isinstance(value, bool) else text
            try:
                numbers.append(float(text))
            except ValueError:
                texts.append("" if value is None else text)
        parted.append((tuple(texts), numbers))
    return sorted(parted)


def assert_same(shown: list, expected: list) -> None:
    assert [texts for texts, _ in shown] == [texts for texts, _ in expected]
    for (texts, numbers), (_, true) in zip(shown, expected, strict=True):
        # The page keeps six decimals of what is no exact number.
        assert numbers == pytest.approx(true, rel=1e-12, abs=5.1e-7), texts


@pytest.mark.parametrize("tab", CHARTS)
@pytest.mark.parametrize("days", ["30", "all"])
def test_table_and_csv_equal_the_mart(opened, built: Warehouse, tab: str, days: str) -> None:
    """Of every card, in a range and without one; a long table shows its first 500 rows."""
    page = opened(f"tab={tab}&range={days}")
    declared = json.loads(page.locator("#page").text_content())
    reports = {report["id"]: report for report in declared["reports"]}
    for card in page.locator(f"#panel-{tab} .card").all():
        chart, name = card.get_attribute("id"), card.get_attribute("data-mart")
        mart, report = declared["marts"][name], reports[chart]
        filters = [f"{column} = '{value}'" for column, value in report.get("where", {}).items()]
        if days == "30" and mart["date"] and "date" not in report.get("ignores", []):
            filters.append(RANGE.replace("usage_date", f"cast({mart['date']} as date)"))
        table = f"{mart['schema']}.{name}"
        if mart["date"] == "period_start" and "date" not in report.get("ignores", []):
            # Of all dates the page shows what begins on one of them.
            filters.append("period_start >= (select min(usage_date) from usage.usage_by_day)")
        described = built.published(f"describe {table}")
        # The page has no moments.
        columns = [column for column, *_ in described if not column.endswith("_at")]
        where = " and ".join(filters) or "true"

        card.hover()
        card.locator("[data-action=rows]").click()
        columns_shown, *shown = card.locator(".panel table").evaluate(CELLS)
        select = ", ".join(columns)
        if "user_id" in columns and "user_id" not in columns_shown:
            # A chart that is not by user holds the mart added up over users.
            columns.remove("user_id")
            sums = [f"sum({c})" if c in mart["measures"] else c for c in columns]
            select, where = ", ".join(sums), f"{where} group by all"
        mart_rows = comparable(built.published(f"select {select} from {table} where {where}"))
        assert mart_rows, chart
        assert columns_shown == columns, chart
        assert len(shown) == min(len(mart_rows), 500), chart
        if len(mart_rows) <= 500:
            assert_same(comparable(shown), mart_rows)
        with page.expect_download() as download:
            card.locator("[data-action=csv]").click()
        assert download.value.suggested_filename == f"{name}.csv"
        text = Path(download.value.path()).read_text(encoding="utf-8")
        header, *rows = csv.reader(io.StringIO(text))
        assert header == columns, chart
        assert_same(comparable(rows), mart_rows)


# A PNG's size, the colour of its corner, and how many pixels are of each colour.
PIXELS = """async (encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
  const pen = new OffscreenCanvas(image.width, image.height).getContext('2d');
  pen.drawImage(image, 0, 0);
  const { data } = pen.getImageData(0, 0, image.width, image.height);
  const counts = {};
  const opaque = (at) => (data[at + 3] === 255 ? 'rgb' : 'clear');
  const name = (at) => `${opaque(at)}(${data.slice(at, at + 3).join(', ')})`;
  for (let at = 0; at < data.length; at += 4) counts[name(at)] = (counts[name(at)] || 0) + 1;
  return { size: [image.width, image.height], corner: name(0), counts };
}"""
MARKS = """(chart) => [...new Set([...chart.querySelectorAll('.mark-area path, .mark-rect path')]
  .map((mark) => getComputedStyle(mark).fill).filter((fill) => fill.startsWith('rgb(')))]"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("filters", "series"), [({}, 3), ({"ai": "OpenAI", "user": USERS[1]}, 1)])
def test_png_is_what_is_seen(opened, theme: str, filters: dict, series: int) -> None:
    page = opened(urlencode({"tab": "usage", "range": "90", **filters}))
    page.emulate_media(color_scheme=theme)
    for chart in ("tokens_by_day_and_ai", "tokens_by_ai"):
        card = page.locator(f"#{chart}")
        drawing = card.locator(".chart")
        card.hover(position={"x": 5, "y": 5})
        with page.expect_download() as download:
            card.locator("[data-action=png]").click()
        assert download.value.suggested_filename == f"{chart}.png"
        saved, seen = (
            page.evaluate(PIXELS, base64.b64encode(png).decode())
            for png in (Path(download.value.path()).read_bytes(), drawing.screenshot())
        )
        # Twice as wide and high as on the page, with a margin and what stands around the chart.
        assert saved["size"][0] == 2 * (seen["size"][0] + 40)
        assert 2 * seen["size"][1] + 200 < saved["size"][1] < 2 * seen["size"][1] + 400
        style = "node => [getComputedStyle(node).backgroundColor, getComputedStyle(node).color]"
        background, ink = card.evaluate(style)
        assert (background == "rgb(255, 255, 255)") == (theme == "light")
        assert saved["corner"] == background
        assert saved["counts"][ink] > 100
        colours = drawing.evaluate(MARKS)
        assert len(colours) == series
        for colour in colours:
            assert saved["counts"][colour] == pytest.approx(4 * seen["counts"][colour], rel=0.1)
        # A colour that a canvas cannot read would be drawn in black.
        assert "rgb(0, 0, 0)" not in saved["counts"]
        assert not [colour for colour in saved["counts"] if colour.startswith("clear")]


def test_png_is_only_where_there_is_a_chart(opened) -> None:
    page = opened("tab=cost&ai=OpenAI")
    empty = page.locator("#cost_by_day_and_ai-5")
    assert empty.locator(".empty").is_visible()
    assert empty.locator("[data-action=png]").is_hidden()
    assert page.locator(".card.table").count() > 0
    assert page.locator(".card.table [data-action=png]").count() == 0
    page.locator("#reset").click()
    ready(page)
    assert empty.locator("[data-action=png]").is_visible()


def test_names_are_text(opened, built: Warehouse) -> None:
    page = opened("tab=usage&range=all")
    for user in USERS:
        assert page.get_by_text(user, exact=True).count() > 0
    assert page.locator("img, script:not(#page)").count() == 1
    source = (built.home / "published/page/index.html").read_text(encoding="utf-8")
    assert USERS[1] not in source
    assert USERS[2] not in source


def test_charts_by_keyboard(opened) -> None:
    page = opened("tab=usage&range=7")
    chart = page.locator("#tokens_by_day_and_ai .chart")
    assert "Tokens by day and AI" in chart.get_attribute("aria-label")
    chart.focus()
    chart.press("ArrowRight")
    first = page.locator("#tooltip strong").inner_text()
    chart.press("ArrowRight")
    assert first == "Sat, 14 Nov 2026"
    assert page.locator("#tooltip strong").inner_text() == "Sun, 15 Nov 2026"
    chart.press("Escape")
    assert page.locator("#tooltip").is_hidden()
