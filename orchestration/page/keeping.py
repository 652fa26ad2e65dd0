"""What of the page takes seconds to make and is the same for everybody, kept beside dbt's parse."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from orchestration.settings import PROJECT

FILE = PROJECT / "target" / "page.json"
_CODE = Path(__file__).parent


@contextmanager
def kept() -> Iterator[Callable]:
    """Give a function that returns what was made of the same things before, or else makes it.

    What no page asks for any more is not kept.
    """
    before, now = _read(), {"made_by": _made_by()}

    def of(made_of: list, make: Callable) -> object:
        name = json.dumps(made_of)
        if name not in now:
            now[name] = before[name] if name in before else make()
        return now[name]

    yield of
    if now != before:
        FILE.parent.mkdir(exist_ok=True)
        # Made beside it, in a folder of its own: others may be at it, too.
        with tempfile.TemporaryDirectory(dir=FILE.parent) as making:
            new = Path(making, FILE.name)
            new.write_text(json.dumps(now))
            new.replace(FILE)


def _read() -> dict:
    try:
        before = json.loads(FILE.read_text())
        return before if before["made_by"] == _made_by() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _made_by() -> str:
    parts = [path.read_text() for path in sorted(_CODE.rglob("*.py"))]
    parts += [version("altair"), version("vl-convert-python")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
