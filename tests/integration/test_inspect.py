"""A person tries a log of their own: what it is is said, and nothing is taken in or written."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import PROJECT
from test_ingestion import CSV_LINE, HEADER, batch, gateway, litellm, otel, parquet, span

from orchestration import __main__
from orchestration.console import console
from orchestration.operations.inspect import inspect
from orchestration.settings import UserError
from orchestration.sources import SOURCES


def said(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with console.capture() as captured:
        inspect(str(path))
    return captured.get()


LINE = {"gateway": gateway, "litellm": litellm, "otel": otel}


@pytest.mark.parametrize("source", LINE)
def test_each_source_is_known_and_its_first_rows_are_shown(tmp_path: Path, source: str) -> None:
    records = [LINE[source](f"id-{n}", unread=1) for n in range(7)]
    text = said(tmp_path / "a.jsonl", "\n".join([*records, "{bad"]))
    assert "a.jsonl: 8 records, read as jsonl\n" in text
    assert f"put it into landing/{source}/\n" in text
    assert "        7  would be taken in as requests\n" in text
    assert "        1  would be rejected, and the rest taken in\n" in text
    assert "1: the line is not JSON, first in line 8\n" in text
    head, *shown = text[text.index("  time (UTC)") :].split("\n\n")[0].splitlines()
    labels = ["time", "(UTC)", "id", "user", "provider", "model", "input", "output", "status"]
    assert head.split() == labels
    assert [line.split()[2] for line in shown] == [f"id-{n}" for n in range(5)]
    assert all("gpt-4o" in line and line.endswith("success") for line in shown)
    assert all(line.startswith("  2025-11-01 12:") for line in shown)
    assert "Fields that are not read: " in text
    assert "unread" in text
    assert "Nothing was taken in." in text


def test_every_source_says_what_of_it_is_shown() -> None:
    labels = {"user", "provider", "model", "input", "output", "status"}
    for source in SOURCES:
        assert source.shown.keys() == labels, source.name


TABLES = {
    "a.csv": f"{HEADER}\nr,{CSV_LINE}\n",
    "a.csv.gz": gzip.compress(f"{HEADER}\nr,{CSV_LINE}\n".encode()),
    "a.json": f"[{gateway()}]",
    "a": json.dumps(json.loads(gateway()), indent=2),
}


@pytest.mark.parametrize(("name", "content"), TABLES.items(), ids=TABLES)
def test_every_format(tmp_path: Path, name: str, content: str | bytes) -> None:
    text = said(tmp_path / name, content)
    assert "Taken for requests in the general format: put it into landing/gateway/" in text
    assert "        1  would be taken in as requests" in text


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_USAGE_HOME", str(tmp_path / "home"))
    record = "'r' request_id, timestamp '2025-11-01' requested_at, 'p' provider, 'm' model"
    text = said(tmp_path / "a.parquet", parquet(f"select {record}, 1 as other from range(20000)"))
    assert "its first 10,000 records" in text
    assert "   10,000  would be taken in as requests" in text
    assert "Fields that are not read: other" in text


def test_what_is_context_and_what_is_another_kind(tmp_path: Path) -> None:
    context = batch(span("c", attributes={"session.id": "s"}))
    metrics = json.dumps({"resourceMetrics": []})
    text = said(tmp_path / "a.jsonl", "\n".join([otel(), context, metrics, metrics]))
    assert "        1  would be taken in as requests\n" in text
    assert "        1  would be kept for what they tell of other records\n" in text
    assert "passed over 2 records in a.jsonl, which are OpenTelemetry's metrics" in text
    text = said(tmp_path / "b.jsonl", metrics)
    assert "Taken for something that is known, and not read:" in text
    assert "        0  would be taken in as requests\n" in text
    assert "rejected" not in text


def test_what_nobody_knows(tmp_path: Path) -> None:
    reasons = [json.dumps({f"field{n}": "\x1b[31m"}) for n in range(3)]
    text = said(tmp_path / "a.jsonl", "\n".join(reasons))
    assert "Not known: nothing in it can be taken in. docs/data_contracts.md says" in text
    assert "        3  would be rejected" in text
    assert "\x1b" not in text


def test_many_reasons_are_told_in_a_few_lines(tmp_path: Path) -> None:
    fields = ("input_tokens", "output_tokens", "cost_usd", "response_time_ms")
    bad = [gateway(**{name: value}) for name in fields for value in (-1, "x", 1e30)]
    text = said(tmp_path / "a.jsonl", "\n".join([gateway(), *bad]))
    assert "       12  would be rejected, and the rest taken in" in text
    assert "and 4 other reasons" in text
    assert text.count(", first in line ") == 8


def test_what_a_terminal_would_obey_is_shown_as_what_it_is(tmp_path: Path) -> None:
    text = said(tmp_path / "a.jsonl", litellm(status="\x1b[2J", custom_llm_provider="[bold]p" * 9))
    assert "\x1b" not in text
    assert "[bold]p[bold]p" in text
    assert "…" in text


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("", None, "Say which file: make inspect FILE="),
        ("nowhere.json", None, "There is no file "),
        (".", None, " is no file: name one of the files in it."),
        ("empty.json", b"", " is empty."),
        ("a.xlsx", b"PK", "is no kind of file that is read here: those end in .csv, .json"),
        ("a.json", b"PK\x03\x04", "cannot be read: it is a ZIP archive"),
        ("a.json", bytes(64), "cannot be read: it is binary"),
        ("a.json.gz", b"text", "cannot be read: the compressed file is damaged"),
        ("a.parquet", b"text", "cannot be read: not a Parquet file"),
        ("README", b"text", "cannot be read: its name has no ending"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_sentence_says_what_is_wrong(
    tmp_path: Path, name: str, content: bytes | None, why: str
) -> None:
    path = str(tmp_path / name) if name else ""
    if content is not None:
        Path(path).write_bytes(content)
    with pytest.raises(UserError) as error:
        inspect(path)
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_home_and_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is wrong does not matter either: none is read."""
    path = tmp_path / "a.jsonl"
    path.write_text(gateway())
    monkeypatch.setenv("AI_USAGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AI_USAGE_REPORTING_TIME_ZONE", "Nowhere")
    before = sorted(PROJECT.glob("*"))
    assert __main__.main(["inspect", "--file", str(path)]) == 0
    assert __main__.main(["inspect", "--file", str(tmp_path / "none")]) == 1
    assert list(tmp_path.iterdir()) == [path]
    assert sorted(PROJECT.glob("*")) == before


@pytest.mark.parametrize(
    "name", ["a b", "a$b", "$(shell touch pwned)", "`touch pwned`", '";touch pwned;"', "it's", "#x"]
)
def test_make_takes_a_path_as_it_is(tmp_path: Path, name: str) -> None:
    makefile = (PROJECT / "Makefile").read_text().replace("inspect: $(RUNNING)", "inspect:")
    show = '@printf %s "$$FILE"'
    makefile = makefile.replace('@$(BIN)/python -m orchestration inspect --file "$$FILE"', show)
    assert show in makefile
    (tmp_path / "Makefile").write_text(makefile)
    environment = os.environ | {"FILE": "of somebody else's"}
    make = ["make", "--silent", "inspect"]
    done = subprocess.run(
        [*make, f"FILE={name}"], cwd=tmp_path, env=environment, text=True, capture_output=True
    )
    assert (done.stdout, done.stderr) == (name, "")
    done = subprocess.run(make, cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert not (tmp_path / "pwned").exists()
