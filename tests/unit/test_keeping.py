"""What is kept of the page is made anew whenever anything of it changes, and only then."""

from pathlib import Path

import pytest

from orchestration.page import keeping as module
from orchestration.page.keeping import kept


def test_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE", tmp_path / "target" / "page.json")
    monkeypatch.setattr(module, "_CODE", tmp_path)
    made = []

    def make() -> dict:
        made.append(1)
        return {"number": len(made)}

    def ask(*made_of: list) -> list[object]:
        with kept() as of:
            return [of(one, make) for one in made_of]

    bars, lines = ["tokens", "bars"], ["tokens", "lines"]
    assert ask(bars, lines, bars) == [{"number": 1}, {"number": 2}, {"number": 1}]
    assert ask(bars, lines) == [{"number": 1}, {"number": 2}]
    # Another declaration; what none asks for any more is gone.
    assert ask(bars, ["cost", "lines"]) == [{"number": 1}, {"number": 3}]
    assert ask(lines, bars) == [{"number": 4}, {"number": 1}]
    # Other code, other libraries, a damaged file.
    (tmp_path / "bars.py").write_text("wider = True")
    assert ask(bars) == [{"number": 5}]
    assert ask(bars) == [{"number": 5}]
    monkeypatch.setattr(module, "version", lambda library: f"{library} 2")
    assert ask(bars) == [{"number": 6}]
    module.FILE.write_text(module.FILE.read_text()[:-9])
    assert ask(bars) == [{"number": 7}]
    assert list(module.FILE.parent.iterdir()) == [module.FILE]
