"""The parts of the benchmark: each measures one thing and returns its rows as Markdown."""

import json
import math
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.events import write_events
from benchmarks.measure import PROJECT, Sample, middle, python, run

DBT = str(Path(sys.executable).with_name("dbt"))
REQUESTS_A_DAY = 25_000
# How many times faster than each this should be.
PEERS = {"postgres": 10, "pandas": 5, "chdb": None}
BUILD = (DBT, "build", "--full-refresh", "--exclude-resource-type", "unit_test")


@dataclass(frozen=True)
class Plan:
    """Where data is made, how often things run, and for how many millions of requests.

    `seconds` are what rebuilds took, by millions of requests and by how.
    """

    folder: Path
    runs: int
    millions: list[int]
    seconds: dict[tuple[int, str], float] = field(default_factory=dict)


def home_of(plan: Plan, millions: int) -> Path:
    """Return a warehouse with that many requests taken in, over 40 days or, from 10 M on, 400."""
    home = plan.folder / f"{millions}m"
    if not home.exists():
        days = min(millions * 40, 400)
        for first in range(0, millions, 10):
            part = min(10, millions - first) * 1_000_000
            landed = write_events(
                home / "landing/gateway",
                part,
                max(days * part // (millions * 1_000_000), 1),
                first=first * 1_000_000,
                users=200 * millions if millions > 10 else 2000,
            )
            python("-m", "benchmarks.ingestion", home=home)
            for path in landed:
                path.unlink()
    return home


# Rebuild


def rebuild(plan: Plan) -> str:
    """Everything from raw/, beside the floor; sizes over 10 M are measured by `large`."""
    rows = []
    for millions in (size for size in plan.millions if size <= 10):
        home = home_of(plan, millions)
        samples: dict[str, list[Sample]] = defaultdict(list)
        for _ in range(plan.runs):
            for name, measured in rebuild_once(plan, home, "the night's job").items():
                samples[name].append(measured)
        found = {name: middle(several) for name, several in samples.items()}
        rows += rebuild_rows(plan, millions, found)
        if millions == 10:
            steps = where_the_time_goes(home, found["the night's job"])
    text = table(["requests", "", "wall s", "CPU s", "peak MiB", "ratio", "goal"], rows)
    growth = exponents(plan, [size for size in plan.millions if size <= 10])
    return f"### Full rebuild\n\n{text}\n{growth}\n{steps if 10 in plan.millions else ''}"


def large(plan: Plan) -> str:
    """Sizes over 10 M, once each, by dbt and by the floor."""
    rows, goals = [], ""
    for millions in (size for size in plan.millions if size > 10):
        home = home_of(plan, millions)
        rows += rebuild_rows(plan, millions, rebuild_once(plan, home))
        if (10, "dbt build") in plan.seconds:
            growth = plan.seconds[millions, "dbt build"] / plan.seconds[10, "dbt build"]
            goals += f"{millions} M within an 8 GB limit, against 10 M: {growth:.2f} x"
            goals += f"; {verdict(growth, 5.5, 'at most 5.5 x')}.\n" if millions == 50 else ".\n"
    text = table(["requests", "", "wall s", "CPU s", "peak MiB", "ratio", "goal"], rows)
    return f"### Large\n\n{text}\n{goals}\n{exponents(plan, plan.millions)}"


def rebuild_once(plan: Plan, home: Path, *also: str) -> dict[str, Sample]:
    """Rebuild from raw/ by dbt alone, by the floor, and, if asked, by the job, in turn."""
    empty(home)
    found = {"dbt build": run(*BUILD, home=home)}
    database = plan.folder / "floor.duckdb"
    found["floor"] = python("-m", "benchmarks.floor", str(home), str(database))
    database.unlink()
    for name in also:
        empty(home)
        found[name] = python("-m", "orchestration", home=home)
    return dict(sorted(found.items(), key=lambda one: one[0] != "floor"))


def empty(home: Path) -> None:
    """Leave nothing of a warehouse but raw/."""
    for path in (home / "warehouse.duckdb", home / "built_from.json"):
        path.unlink(missing_ok=True)
    shutil.rmtree(home / "published", ignore_errors=True)


def rebuild_rows(plan: Plan, millions: int, found: dict[str, Sample]) -> list[list[str]]:
    """Write a row for each way to rebuild that many, and remember its time."""
    rows = []
    for name, sample in found.items():
        ratio = sample.wall_s / found["floor"].wall_s
        goal = ""
        if millions == 10 and name == "dbt build":
            goal = verdict(ratio, 1.5, "at most 1.5 x the floor")
        rows.append([f"{millions} M", name, *figures(sample), f"{ratio:.2f} x the floor", goal])
        plan.seconds[millions, name] = sample.wall_s
    return rows


def where_the_time_goes(home: Path, job: Sample) -> str:
    """Add up dbt's seconds by kind of node, and list the steps that the job printed."""
    seconds: dict[str, float] = defaultdict(float)
    for result in json.loads((home / "dbt/run_results.json").read_text())["results"]:
        kind, _, name = result["unique_id"].split(".")[:3]
        layer = "tests" if kind == "test" else "reports"
        if kind == "model" and name.startswith(("int_", "fct_", "dim_", "stg_")):
            own = name in ("int_requests", "int_event_dates_to_read")
            layer = name if own else "other core models"
        seconds[layer] += result["execution_time"]
    rows = [[layer, f"{took:.1f}"] for layer, took in sorted(seconds.items())]
    steps = [[step, took] for step, took in re.findall(r"^  (\w+) +([\d.]+) s", job.printed, re.M)]
    return (
        "Where the time of the job at 10 M goes; in dbt two threads work side by side, so their "
        "sum is more than its wall-clock time:\n\n"
        + table(["step of the job", "wall s"], steps)
        + "\n"
        + table(["in dbt", "thread s"], rows)
    )


def exponents(plan: Plan, sizes: list[int]) -> str:
    """Say how time grows with size: 1 is in proportion."""
    said = []
    for small, big in pairwise(sizes):
        for name in ("floor", "dbt build", "the night's job"):
            if {(small, name), (big, name)} <= plan.seconds.keys():
                growth = math.log(plan.seconds[big, name] / plan.seconds[small, name])
                said.append(f"{name}, {small} to {big} M: {growth / math.log(big / small):.2f}")
    return f"Growth, as the exponent of the time between sizes: {'; '.join(said)}.\n" * bool(said)


# Nights


def nights(plan: Plan) -> str:
    """One more day of events, one in a hundred of them up to five days late."""
    rows, base = [], 0.0
    for days, limit in ((10, None), (100, 1.1), (400, 1.2)):
        requests = days * REQUESTS_A_DAY
        if requests == 10_000_000:
            home = home_of(plan, 10)
        else:
            home = plan.folder / f"night{days}"
            write_events(home / "landing/gateway", requests, days)
        python("-m", "orchestration", home=home)
        samples = []
        for night in range(max(plan.runs, 3)):
            land_a_day(home, requests + night * REQUESTS_A_DAY)
            samples.append(python("-m", "orchestration", home=home))
        sample = middle(samples)
        base = base or sample.wall_s
        ratio = sample.wall_s / base
        goal = verdict(ratio, limit, f"at most {limit} x 10 days") if limit else ""
        rows.append([f"{days} days", *figures(sample), f"{ratio:.2f} x", goal])
    samples = [python("-m", "orchestration", home=home) for _ in range(plan.runs)]
    nothing = middle(samples)
    goal = verdict(nothing.wall_s, 15, "under 15 s")
    rows.append(["nothing new, 400 days", *figures(nothing), "", goal])
    text = table(["history", "wall s", "CPU s", "peak MiB", "ratio", "goal"], rows)
    return f"### A night: {REQUESTS_A_DAY:,} new requests on a history of so many days\n\n{text}"


def land_a_day(home: Path, first: int) -> None:
    """Land the next day's events, and one in a hundred of them again as late ones of other days."""
    [day] = write_events(home / "landing/gateway", REQUESTS_A_DAY, 1, first=first)
    duckdb.execute(
        f"""
        copy (
            select * replace (
                'late-' || request_id as request_id,
                requested_at - to_days(1 + cast(hash(request_id) % 5 as integer)) as requested_at
            )
            from read_json('{day}', format = 'newline_delimited')
            where hash(request_id) % 100 = 0
        ) to '{day.with_name(f"late-{day.name}")}' (format json)
        """
    )


# Ingestion


def ingestion(plan: Plan) -> str:
    """JSON lines against read_json, and many small files against one."""
    home, bare, ours = plan.folder / "ingestion", [], []
    write_events(home / "landing/gateway", 10_000_000, 400)
    for _ in range(plan.runs):
        files, target = f"{home}/landing/gateway/*.jsonl", str(plan.folder / "bare.parquet")
        bare.append(python("-m", "benchmarks.ingestion", "bare", files, target))
        shutil.rmtree(home / "raw", ignore_errors=True)
        ours.append(python("-m", "benchmarks.ingestion", home=home))
    shutil.rmtree(home)
    ratio = middle(ours).wall_s / middle(bare).wall_s
    rows = [
        ["read_json to Parquet, 10 M", *figures(middle(bare)), "", ""],
        [
            "ingestion, 10 M",
            *figures(middle(ours)),
            f"{ratio:.2f} x",
            verdict(ratio, 1.7, "at most 1.7 x read_json"),
        ],
    ]

    one, many = plan.folder / "one", plan.folder / "many"
    [path] = write_events(one / "landing/gateway", 100_000, 4)
    (many / "landing/gateway").mkdir(parents=True)
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True)[:100_000]):
        (many / f"landing/gateway/{number:06}.jsonl").write_bytes(line)
    samples: dict[Path, list[Sample]] = {one: [], many: []}
    for _ in range(plan.runs):
        for folder, several in samples.items():
            shutil.rmtree(folder / "raw", ignore_errors=True)
            several.append(python("-m", "benchmarks.ingestion", home=folder))
    ratio = middle(samples[many]).wall_s / middle(samples[one]).wall_s
    rows += [
        ["one file of 100,000 events", *figures(middle(samples[one])), "", ""],
        [
            "100,000 files of one event",
            *figures(middle(samples[many])),
            f"{ratio:.2f} x",
            verdict(ratio, 5, "at most 5 x one file"),
        ],
    ]
    text = table(["", "wall s", "CPU s", "peak MiB", "ratio", "goal"], rows)
    return f"### Ingestion of JSON lines\n\n{text}"


# Analyst and page


def analyst(plan: Plan) -> str:
    """Change one report and see it, on ten million requests if these were measured before."""
    home = home_of(plan, 10 if 10 in plan.millions else plan.millions[0])
    if not (home / "warehouse.duckdb").exists():
        run(*BUILD, home=home)
    report = PROJECT / "models/marts/usage/usage_by_user.sql"
    original, samples = report.read_text(), []
    try:
        for number in range(plan.runs):
            report.write_text(f"{original}-- changed {number}\n")
            built = run(DBT, "build", "--select", report.stem, home=home)
            shown = run(DBT, "show", "--select", report.stem, home=home)
            samples.append(
                Sample(
                    built.wall_s + shown.wall_s,
                    built.cpu_s + shown.cpu_s,
                    max(built.peak_mib, shown.peak_mib),
                )
            )
    finally:
        report.write_text(original)
    sample = middle(samples)
    row = ["dbt build and dbt show of it", *figures(sample), verdict(sample.wall_s, 15, "< 15 s")]
    text = table(["", "wall s", "CPU s", "peak MiB", "goal"], [row])
    return f"### An analyst changes one report\n\n{text}"


def page(plan: Plan) -> str:
    """The page of 50,000 users and 400 days."""
    folder = plan.folder / "page"
    printed = python("benchmarks/big_page.py", "50000", "400", str(folder)).printed
    opens = float(re.search(r"opens in ([\d.]+) s", printed)[1])
    filters = [int(ms) for ms in re.findall(r": (\d+) ms", printed)]
    built = re.search(r"built in .*", printed)[0]
    rows = [
        ["opens", f"{opens:.2f} s", verdict(opens, 2, "2 s")],
        [
            "answers to a filter",
            f"{median(filters):.0f} ms, at most {max(filters)} ms",
            verdict(max(filters), 300, "300 ms"),
        ],
    ]
    text = table(["", "took", "goal"], rows)
    return f"### The page, 50,000 users x 400 days\n\n{text}\n{built}\n"


# Peers


def peers(plan: Plan) -> str:
    """All reports of a million requests, each tool with its load; and that they are the same."""
    [events] = write_events(plan.folder / "peers", 1_000_000, 40)
    prices, services = plan.folder / "prices.parquet", plan.folder / "services.parquet"
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    python("-m", "benchmarks.inputs", str(events), str(prices), str(services))
    reports = {tool: plan.folder / f"reports_of_{tool}" for tool in PEERS}
    for _ in range(plan.runs):
        home = Path(tempfile.mkdtemp(dir=plan.folder))
        (home / "landing/gateway").mkdir(parents=True)
        (home / "landing/gateway" / events.name).hardlink_to(events)
        loaded = python("-m", "benchmarks.ingestion", home=home)
        built = run(*BUILD, home=home)
        peak_mib = max(loaded.peak_mib, built.peak_mib)
        found["this warehouse, with all its tests"].append((loaded.wall_s, built.wall_s, peak_mib))
        shutil.rmtree(home)
        for tool, folder in reports.items():
            inputs = (str(path) for path in (events, prices, services, folder))
            sample = python("-m", f"benchmarks.peers.{tool}", *inputs)
            said = json.loads(sample.printed.splitlines()[-1])
            found[tool].append((said["load_s"], said["reports_s"], said["peak_mib"]))
    checked = python(
        "-m", "benchmarks.peers.check", *map(str, (events, prices, services, *reports.values()))
    )
    rows, ours = [], 0.0
    for name, several in found.items():
        load_s, reports_s, peak_mib = sorted(several, key=sum)[len(several) // 2]
        total_s = load_s + reports_s
        ours = ours or total_s
        goal = PEERS.get(name)
        row = [name, *(f"{s:.1f}" for s in (load_s, reports_s, total_s)), f"{peak_mib:,.0f}"]
        row.append(f"{total_s / ours:.1f} x ours" if name in PEERS else "")
        row.append(verdict(-total_s / ours, -goal, f"{goal} x ours or more") if goal else "")
        rows.append(row)
    heads = ["", "load s", "reports s", "both s", "peak MiB", "", "goal"]
    return f"### Peers: all reports of 1 M requests\n\n{table(heads, rows)}\n{checked.printed}"


def figures(sample: Sample) -> list[str]:
    """Write a sample's figures."""
    return [f"{sample.wall_s:.1f}", f"{sample.cpu_s:.1f}", f"{sample.peak_mib:,.0f}"]


def verdict(value: float, limit: float, goal: str) -> str:
    """Say whether a goal is reached."""
    return f"{goal}: {'reached' if value <= limit else '**not reached**'}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Write rows as a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


PARTS = {
    "ingestion": ingestion,
    "rebuild": rebuild,
    "nights": nights,
    "peers": peers,
    "analyst": analyst,
    "page": page,
    "large": large,
}
