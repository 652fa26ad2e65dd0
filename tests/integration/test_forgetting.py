"""Who is forgotten is found however a file spells them, and nobody is taken for them."""

import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from backports import zstd
from conftest import HOSTILE, PROJECT, Warehouse, files_naming

from orchestration.console import console
from orchestration.operations.forget import forget, person_said
from orchestration.privacy.erasure import FORGOTTEN, erase, names_of
from orchestration.privacy.names import Names
from orchestration.privacy.searching import Clean, raw_files_that_name, what_names
from orchestration.settings import Settings, UserError

KEY = "correct horse 'battery' staple"
FIELDS = {
    "request_id": "r1",
    "requested_at": "2026-01-02T10:00:00Z",
    "provider": "openai",
    "model": "gpt-4o",
    "input_tokens": 12345,
    "output_tokens": 200,
    "team_id": "sales",
}


def gateway(**fields: object) -> str:
    """A line of the general format."""
    return json.dumps(FIELDS | fields) + "\n"


def litellm(**fields: object) -> str:
    times = {"startTime": "2026-01-02T10:00:00Z", "endTime": "2026-01-02T10:00:01Z"}
    record = {"request_id": "r1", "model": "gpt-4o", "prompt_tokens": 12345, "metadata": {}}
    return json.dumps(record | times | fields) + "\n"


def span(**attributes: str) -> str:
    told = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"} | attributes
    span = {
        "traceId": "t1",
        "spanId": "s1",
        "startTimeUnixNano": "1767348000000000000",
        "endTimeUnixNano": "1767348001000000000",
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in told.items()
        ],
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n"


def csv(header: str, row: str) -> str:
    return f"request_id,requested_at,provider,model,{header}\nr1,2026-01-02,openai,gpt-4o,{row}\n"


def parquet(path: Path, columns: str) -> None:
    known = ", ".join(f"'{value}' as {name}" for name, value in FIELDS.items() if name != "team_id")
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy (select {known}, {columns}) to '{path}' (format parquet)")


def framed(text: str) -> bytes:
    message = zstd.compress(text.encode())
    return len(message).to_bytes(4, "big") + message


MAIL = "a+b@acme.example"
UUID = "0b4f6c1e-8d0a-4a39-9d53-1f2f3a4b5c6d"
# The file, what is in it, and who is in it.
NAMING: dict[str, tuple[str, str | bytes, str]] = {
    "as it is": ("gateway/a.jsonl", gateway(user_id="ada"), "ada"),
    ".NET's plus": (
        "gateway/a.jsonl",
        gateway(user_id=MAIL).replace("+", "\\u002B"),
        MAIL,
    ),
    "Go's ampersand": (
        "gateway/a.jsonl",
        gateway(user_id="r&d").replace("&", "\\u0026"),
        "r&d",
    ),
    "PHP's slash": ("gateway/a.jsonl", gateway(user_id="x/ada").replace("/", "\\/"), "x/ada"),
    "upper-case hex": ("gateway/a.jsonl", gateway(user_id="zoë").replace("eb", "EB"), "zoë"),
    "letters escaped": (
        "gateway/a.jsonl",
        gateway(user_id="ada").replace('"ada"', '"\\u0061\\u0064\\u0061"'),
        "ada",
    ),
    "beyond 16 bits": ("gateway/a.jsonl", gateway(user_id="ada😀"), "ada😀"),
    "quotes": ("gateway/a.jsonl", gateway(user_id='o"neil\\'), 'o"neil\\'),
    "spaces around it": ("gateway/a.jsonl", gateway(user_id="  ada "), "ada"),
    "a number with an exponent": (
        "gateway/a.jsonl",
        gateway(user_id="@").replace('"@"', "9.8765e4"),
        "98765.0",
    ),
    "a row that is not UTF-8": (
        "gateway/a.csv",
        csv("user_id", "jürgen").encode("latin-1"),
        "jürgen",
    ),
    "a number": ("gateway/a.jsonl", gateway(user_id=12345), "12345"),
    "in brackets": ("gateway/a.jsonl", gateway(user_id="(ada)"), "user (ada)"),
    "a field that is not read": ("gateway/a.jsonl", gateway(employee=67890), "67890"),
    "as end user alone": ("gateway/a.jsonl", gateway(end_user_id="ada"), "ada"),
    "as a session": ("gateway/a.jsonl", gateway(user_id="bob", session_id="ada"), "ada"),
    "as a name alone": ("gateway/a.jsonl", gateway(user_id="u1", user_name=MAIL), MAIL),
    "a key": ("gateway/a.jsonl", gateway(user_id="bob", spend_of={"ada": 1}), "ada"),
    "within text": ("gateway/a.jsonl", gateway(prompt=f"Write to\n{MAIL}."), MAIL),
    "JSON in JSON": (
        "litellm/a.jsonl",
        litellm(metadata=json.dumps({"user_api_key_user_id": MAIL}).replace("+", "\\u002B")),
        MAIL,
    ),
    "JSON in JSON in JSON": (
        "litellm/a.jsonl",
        litellm(extra=json.dumps({"inner": json.dumps({"user": 'o"neil'})})),
        'o"neil',
    ),
    "as Python writes it": ("litellm/a.jsonl", litellm(extra="{'user': 'ada', 'n': 1}"), "ada"),
    "twice in a record": (
        "gateway/a.jsonl",
        gateway(user_id="bob").replace('"model"', '"note": "ada", "note": "bob", "model"'),
        "ada",
    ),
    "an array over lines": ("gateway/a.json", f"[\n{gateway(user_id='ada')}]", "ada"),
    "packed": ("gateway/a.jsonl.gz", gzip.compress(gateway(user_id="ada").encode()), "ada"),
    "packed by message": ("otel/a.jsonl.zst", framed(span(**{"user.id": MAIL})), MAIL),
    "an attribute": ("otel/a.jsonl", span(**{"user.id": "12345"}), "12345"),
    "an attribute that is not read": ("otel/a.jsonl", span(**{"employee": "12345"}), "12345"),
    "a cell of CSV": ("gateway/a.csv", csv("user_id", "ada"), "ada"),
    "a quoted cell": ("gateway/a.csv", csv("user_id", '"o""neil, a"'), 'o"neil, a'),
    "a column that is not read": ("gateway/a.csv", csv("employee", "ada"), "ada"),
    "JSON in CSV": ("gateway/a.csv", csv("tags", '"{""user"": ""ada""}"'), "ada"),
    "a bad row": ("gateway/a.csv", csv("user_id", "ada,too,many"), "ada"),
    "a bad line": ("gateway/a.jsonl", gateway() + '{"user_id": "ada"\n', "ada"),
}
COLUMNS = {
    "text": ("'ada' as user_id", "ada"),
    "uuid": (f"uuid '{UUID}' as user_id", UUID),
    "integer": ("12345 as user_id", "12345"),
    "decimal": ("12345678901234567890123::decimal(38, 0) as user_id", "12345678901234567890123"),
    "decimals": ("cast(12345 as decimal(9, 2)) as user_id", "12345.00"),
    "bytes": ("'ada'::blob as user_id", "ada"),
    "not read": (f'uuid \'{UUID}\' as "who\'s ""it"""', UUID),
    "struct": ("[{'who': 67890}] as asked_by", "67890"),
    "uuid in a list": (f"[uuid '{UUID}'] as asked_by", UUID),
    "key of a map": ("map {'ada': 1} as spend_of", "ada"),
    "JSON": ('\'{"user": "a\\u002Bb"}\' as note', "a+b"),
}
# Searched as they are, or not at all; they stay, and are named.
UNREADABLE: dict[str, tuple[str, bytes, str]] = {
    "a note": ("notes.txt", b"ada asks for more", "ada"),
    "no source's folder": ("elsewhere/a.jsonl", gateway(user_id="ada").encode(), "ada"),
    "being written": ("gateway/.a.jsonl", gateway(user_id="ada").encode(), "ada"),
    "cut short": ("gateway/a.jsonl.gz", gzip.compress(b"x" * 99)[:-9], "ada"),
    "packed, and its name is silent": ("gateway/a.jsonl", gzip.compress(b"ada"), "ada"),
    "a table, and its name is silent": ("gateway/a.jsonl", b"PAR1...", "ada"),
    "no Parquet": ("gateway/a.parquet", b"ada", "ada"),
}


def names(warehouse: Warehouse, person: str, clean: Clean | None = None) -> list[str]:
    settings = warehouse.settings
    return what_names(settings, names_of(settings, person), {} if clean is None else clean)


@pytest.mark.parametrize("case", NAMING)
def test_a_landed_record_names_them(warehouse: Warehouse, case: str) -> None:
    name, content, person = NAMING[case]
    warehouse.write("gateway/others.jsonl", gateway(request_id="r2", user_id="bob"))
    path = warehouse.write(name, content)
    assert names(warehouse, person) == [str(path)]


@pytest.mark.parametrize("case", COLUMNS)
def test_a_column_of_parquet_names_them(warehouse: Warehouse, case: str) -> None:
    path = warehouse.landing / "gateway" / "a.parquet"
    columns, person = COLUMNS[case]
    parquet(path, columns)
    assert names(warehouse, person) == [str(path)]


def test_all_of_it_leaves(warehouse: Warehouse) -> None:
    """Whatever was found before it was taken in is so after, and in the end nowhere."""
    others = warehouse.write("gateway/others.jsonl", gateway(request_id="r2", user_id="bob"))
    people = {}
    for number, (name, content, person) in enumerate(NAMING.values()):
        people[warehouse.write(name.replace("/a.", f"/{number}."), content)] = person
    for number, (columns, person) in enumerate(COLUMNS.values()):
        people[path := warehouse.landing / f"gateway/{number}.parquet"] = person
        parquet(path, columns)
    warehouse.ingest()
    settings = warehouse.settings
    everybody = Names(name for person in people.values() for name in names_of(settings, person).all)
    assert {str(path) for path in people} < set(what_names(settings, everybody, {}))
    erase(settings, everybody, {})
    assert what_names(settings, everybody, {}) == []
    assert list(warehouse.landing.glob("*/*.*")) == [others]
    kept = (
        f"select distinct coalesce(user_id, end_user_id) from '{warehouse.raw}/gateway/*/*.parquet'"
    )
    assert set(duckdb.sql(kept).fetchall()) == {("bob",), ("u1",), (FORGOTTEN,), (None,)}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_named_and_stays(warehouse: Warehouse, case: str) -> None:
    name, content, person = UNREADABLE[case]
    path = warehouse.write(name, content)
    settings = warehouse.settings
    erase(settings, names_of(settings, person), {})
    assert names(warehouse, person) == [str(path)]
    assert path.read_bytes() == content


def test_links_in_landing(warehouse: Warehouse, tmp_path: Path) -> None:
    """A folder that is one is landing/ all the same; what a file leads to is somebody else's."""
    outside = tmp_path / "outside"
    for folder in ("gateway", "files"):
        (outside / folder).mkdir(parents=True)
    (outside / "gateway/a.jsonl").write_text(gateway(user_id="ada"))
    (outside / "files/b.jsonl").write_text(gateway(user_id="ada"))
    warehouse.landing.mkdir(parents=True)
    (warehouse.landing / "gateway").symlink_to(outside / "gateway")
    link = outside / "gateway/b.jsonl"
    link.symlink_to(outside / "files/b.jsonl")
    landed = [str(warehouse.landing / "gateway" / name) for name in ("a.jsonl", "b.jsonl")]
    assert names(warehouse, "ada") == landed
    warehouse.ingest()
    settings = warehouse.settings
    erase(settings, names_of(settings, "ada"), {})
    assert names(warehouse, "ada") == []
    assert list((outside / "gateway").iterdir()) == []
    assert (outside / "files/b.jsonl").exists()


def test_what_tells_something_else_names_nobody(warehouse: Warehouse) -> None:
    words = ["sales", "12345", "user", "success", "gpt-4o", "ad", "r1"]
    messages = [{"role": "user", "content": "user 12345 of sales says: success"}]
    asked = {"team.id": "sales", "gen_ai.usage.input_tokens": "12345"}
    warehouse.write("gateway/a.jsonl", gateway(user_id="ada", status="success", messages=messages))
    warehouse.write("litellm/a.jsonl", litellm(user="ada", status="success", messages=messages))
    warehouse.write("otel/a.jsonl", span(**asked, **{"user.id": "ada"}))
    warehouse.write("gateway/a.csv", csv("team_id,input_tokens", "sales,12345"))
    parquet(warehouse.landing / "gateway/a.parquet", "12345 as cache_read_tokens")
    warehouse.write("gateway/bad.jsonl", gateway(request_id="12345", requested_at="never"))
    # Notes of our own hold such words as well.
    for folder in ("dbt", "dagster", "published/versions/1/data_docs"):
        (warehouse.home / folder).mkdir(parents=True)
        (warehouse.home / folder / "index.html").write_text("user 12345 sales success gpt-4o r1")
    assert [names(warehouse, word) for word in words] == [[]] * len(words)
    warehouse.ingest()
    assert [names(warehouse, word) for word in words] == [[]] * len(words)


def test_ids_that_clients_made_of_theirs(warehouse: Warehouse) -> None:
    """In whosever events: the session goes by their name, and so does the key."""
    warehouse.write("gateway/a.jsonl", gateway(user_id="bob", user_name="ada", session_id="ada"))
    metadata = {"user_api_key_alias": "ada", "user_api_key_team_id": "ada"}
    warehouse.write("litellm/a.jsonl", litellm(metadata=metadata))
    warehouse.ingest()
    settings = warehouse.settings
    erase(settings, names_of(settings, "ada"), {})
    raw = f"{warehouse.raw}/{{}}/*/*.parquet"
    gateways = f"select user_id, user_name, session_id, team_id from '{raw.format('gateway')}'"
    assert duckdb.sql(gateways).fetchall() == [("bob", None, FORGOTTEN, "sales")]
    litellms = f"select key_alias, team_id from '{raw.format('litellm')}'"
    assert duckdb.sql(litellms).fetchall() == [(FORGOTTEN, "ada")]


def test_what_a_rejected_record_tells(warehouse: Warehouse) -> None:
    warehouse.write("gateway/a.jsonl", gateway(user_id="bob", model=MAIL, requested_at="never"))
    warehouse.write("gateway/b.jsonl", gateway(user_id="bob", model="bob", requested_at="never"))
    warehouse.ingest()
    assert len(names(warehouse, MAIL)) == 2
    settings = warehouse.settings
    erase(settings, names_of(settings, MAIL), {})
    assert names(warehouse, MAIL) == []
    texts = f"select text from '{warehouse.raw}/rejected/*.parquet' order by landing_file"
    (one,), (other,) = duckdb.sql(texts).fetchall()
    assert one is None
    assert json.loads(other)["model"] == "bob"


def test_what_a_crash_or_a_repair_left_goes(warehouse: Warehouse) -> None:
    """It holds what raw/ does, and nobody could tell whether it names them."""
    warehouse.write("gateway/a.jsonl", gateway(user_id="ada"))
    warehouse.ingest()
    [raw] = warehouse.raw.glob("gateway/*/*.parquet")
    left = [
        raw.with_name(f".{raw.name}.new"),
        warehouse.home / "warehouse.duckdb.wal",
        warehouse.home / "damaged_warehouse.duckdb",
        warehouse.home / "tmp" / "duckdb_temp_storage.tmp",
    ]
    for path in left:
        path.write_bytes(raw.read_bytes())
    settings = warehouse.settings
    erase(settings, names_of(settings, "ada"), {})
    assert [path for path in left if path.exists()] == []


def test_the_history_of_runs_goes_if_it_has_their_id(warehouse: Warehouse) -> None:
    """SQLite cuts a long value into pages, and an id with it."""
    history, settings = warehouse.home / "dagster", warehouse.settings
    file, before = history / "runs.db", 720
    while not file.exists() or MAIL.encode() in file.read_bytes():
        shutil.rmtree(history, ignore_errors=True)
        history.mkdir()
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("create table event_logs (event text)")
            event = f"{'.' * before} {MAIL} {'.' * (13_000 - before)}"
            connection.execute("insert into event_logs values (?)", [event])
        before += 1
    erase(settings, names_of(settings, "bob@acme.example"), {})
    assert history.exists()
    erase(settings, names_of(settings, MAIL), {})
    assert not history.exists()


def test_a_file_that_has_not_changed_is_searched_once(warehouse: Warehouse) -> None:
    path, clean = warehouse.write("gateway/a.jsonl", gateway(user_id="bob")), {}
    assert names(warehouse, "ada", clean) == []
    content = path.stat()
    path.write_text(gateway(user_id="ada"))
    os.utime(path, ns=(content.st_atime_ns, content.st_mtime_ns))
    assert names(warehouse, "ada", clean) == []
    path.touch()
    assert names(warehouse, "ada", clean) == [str(path)]


def test_raw_is_searched_in_one_scan(warehouse: Warehouse) -> None:
    """400 days of three files; file by file it takes ten times as long."""
    warehouse.write("gateway/a.jsonl", gateway(user_id="ada"))
    warehouse.ingest()
    [raw] = warehouse.raw.glob("gateway/*/*.parquet")
    for day in range(400):
        folder = raw.parent.with_name(f"event_date={2025 + day // 365}-{day}")
        folder.mkdir()
        for number in range(3):
            (folder / f"{number}.parquet").hardlink_to(raw)
    settings = warehouse.settings
    started = time.monotonic()
    assert raw_files_that_name(settings, Names(["bob"])) == []
    assert time.monotonic() - started < 10
    assert len(raw_files_that_name(settings, Names(["ada"]))) == 1201


# How the command is said.


@pytest.fixture
def night(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The night that forgetting ends with, without Dagster; all sorts of people have landed."""

    def run(_: Settings | None = None) -> None:
        warehouse.ingest()
        warehouse.build("--exclude-resource-type", "test")
        warehouse.publish(page=True)

    for number, person in enumerate((*HOSTILE, "bob")):
        line = gateway(request_id=f"r{number}", user_id=person, user_name=person, team_id="user")
        warehouse.write(f"gateway/{number}.jsonl", line)
    monkeypatch.setattr("orchestration.operations.forget.run", run)
    return run


def users(warehouse: Warehouse) -> set[str]:
    return {user for (user,) in warehouse.published("select user_id from core.dim_users")}


@pytest.mark.slow
def test_an_id_that_is_a_word_of_the_pages_own(
    warehouse: Warehouse, night: Callable[..., None]
) -> None:
    """A person called `user`, of the team `user`; all others stay, whatever they are called."""
    night()
    with console.capture() as said:
        forget(warehouse.settings, "user", is_sure=True)
    assert "user: 1 requests from 2026-01-02 to 2026-01-02" in said.get()
    assert "names them; what they used is (forgotten)'s" in said.get()
    assert users(warehouse) == {*HOSTILE, "bob", FORGOTTEN} - {"user"}
    assert len(list(warehouse.landing.glob("*/*"))) == len(HOSTILE)
    assert not (warehouse.home / "published/previous").exists()
    with pytest.raises(UserError, match=r"Nothing in .* names the user 'user'"):
        forget(warehouse.settings, "user", is_sure=True)


@pytest.mark.slow
def test_whom_the_tables_hide(
    warehouse: Warehouse, night: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be named by what is published of them, or by their id."""
    monkeypatch.setenv("AI_USAGE_HIDE_USERS", "true")
    monkeypatch.setenv("AI_USAGE_HIDING_KEY", KEY)
    night()
    settings = warehouse.settings
    both = names_of(settings, HOSTILE[0]).all
    [shown] = users(warehouse).intersection(both)
    assert both == names_of(settings, shown).all == sorted([HOSTILE[0], shown])
    forget(settings, shown, is_sure=True)
    assert not users(warehouse).intersection(both)
    assert names(warehouse, HOSTILE[0]) == names(warehouse, shown) == []
    assert files_naming(warehouse.home, shown, "drop table users") == []


@pytest.mark.parametrize("said", ["yes", "no", "", EOFError, KeyboardInterrupt, None])
def test_nothing_goes_unless_somebody_says_yes(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, said: str | type[BaseException] | None
) -> None:
    def answer(_: str) -> str:
        if isinstance(said, str):
            return said
        raise said

    nights = []
    monkeypatch.setattr("orchestration.operations.forget.run", nights.append)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: said is not None, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    path = warehouse.write("gateway/a.jsonl", gateway(user_id="ada"))
    if said == "yes":
        forget(warehouse.settings, "ada")
        assert len(nights) == 1 and not path.exists()
    else:
        why = "Nothing was removed: .* YES=1" if said is None else r"Nothing was removed\."
        with pytest.raises(UserError, match=why):
            forget(warehouse.settings, "ada")
        assert path.exists() and not nights


def test_whom_to_forget_is_said(tmp_path: Path) -> None:
    file = tmp_path / "person.txt"
    file.write_text(f"\ufeff{HOSTILE[4]}\n")
    assert person_said("", str(file)) == person_said(f" {HOSTILE[4]} ", "") == HOSTILE[4]
    file.write_bytes(b"\xff\xfe\x00")
    for person, path, why in (
        ("", "", "PERSON='their-id' make forget"),
        ("ada", str(file), "say one of them"),
        ("", str(tmp_path / "none"), "cannot be read as text: .*No such file"),
        ("", str(file), "cannot be read as text"),
        ("ada\nbob", "", "Forget one person at a time"),
        ("(unknown)", "", "a name of this project's own"),
    ):
        with pytest.raises(UserError, match=why):
            person_said(person, path)


@pytest.mark.parametrize("said", ["PERSON", "PERSON_FILE"])
@pytest.mark.parametrize("text", [*HOSTILE, "svc$prod", "$(shell touch pwned)", "-x", "#x", "a\nb"])
def test_make_takes_it_as_it_is(tmp_path: Path, said: str, text: str) -> None:
    """Before `make` or behind it; and never whoever is logged in."""
    makefile = (PROJECT / "Makefile").read_text().replace("forget: $(RUNNING)", "forget:")
    does = "$(BIN)/python -m orchestration forget $(if $(filter 1,$(YES)),--yes)"
    assert does in makefile
    shows = 'printf "%s|%s|%s" "$$PERSON" "$$PERSON_FILE" $(if $(filter 1,$(YES)),yes)'
    (tmp_path / "Makefile").write_text(makefile.replace(does, shows))
    expected = f"{text}||" if said == "PERSON" else f"|{text}|"

    def make(*arguments: str, **environment: str) -> str:
        done = subprocess.run(
            ["make", "--silent", "forget", *arguments],
            cwd=tmp_path,
            env=os.environ | environment,
            text=True,
            capture_output=True,
        )
        assert done.stderr == ""
        return done.stdout

    assert make(**{said: text}) == expected
    assert make(YES="1", **{said: text}) == f"{expected}yes"
    assert make("YES=0", **{said: text}) == expected
    assert make("USER=ada", USER="bob") == "||"
    if "\n" not in text:
        assert make(f"{said}={text}") == expected
    assert not (tmp_path / "pwned").exists()
