"""One file of the template, the style, the scripts, the charts and the data."""

import base64
import hashlib
import json
import re
from pathlib import Path

from orchestration.page import colours

_HERE = Path(__file__).parent
_BROWSER = _HERE / "browser"
_SCRIPTS = (
    "format.js",
    "data.js",
    "draw.js",
    "view.js",
    "picture.js",
    "cards.js",
    "page.js",
    "start.js",
)


def html(page: dict, services: list[tuple[str, str]], bundle: str) -> str:
    """Return the page; `bundle` is Vega's. Its policy lets run only what is in it, or beside it."""
    pairs = {"ai": colours.of_services(services), "kind": colours.of_categories()}
    shades = " ".join(
        f"--{kind}-{n}: light-dark({light}, {dark});"
        for kind, of in pairs.items()
        for n, (light, dark) in enumerate(of)
    )
    style = f":root {{ {shades} }}\n" + (_BROWSER / "page.css").read_text()
    # The bundle has names of one letter at its top level: kept apart from the page's own.
    own = "\n".join((_BROWSER / name).read_text() for name in _SCRIPTS)
    notice = (_HERE / "NOTICE.txt").read_text().strip()
    script = f"/*\n{notice}\n*/\n(() => {{{bundle}}})();\n(() => {{\n{own}\n}})();\n"
    script = script.replace("</script", "<\\/script")
    policy = (
        f"default-src 'none'; script-src 'self' '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    # In JSON < may stand as an escape, and so no name can end the element that holds it.
    data = json.dumps(page, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    filled = {"policy": policy, "style": style, "page": data, "script": script}
    template = (_BROWSER / "page.html").read_text()
    return re.sub(r"\{\{(\w+)\}\}", lambda match: filled[match[1]], template)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
