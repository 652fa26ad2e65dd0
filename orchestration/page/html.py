"""One file of the template, the style, the scripts, the charts and the data."""

import base64
import hashlib
import json
import re
from pathlib import Path

import vl_convert

from orchestration.page import colours

_HERE = Path(__file__).parent
_BROWSER = _HERE / "browser"
_SCRIPTS = ("format.js", "data.js", "draw.js", "view.js", "cards.js", "page.js", "start.js")
_STYLE = (_BROWSER / "page.css").read_text()
_LIGHT = re.search(r":root \{(.*?)\n\}", _STYLE, re.DOTALL)[1]


def shades(services: list[tuple[str, str]], dark: bool) -> str:
    """Return the style sheet's variables for services and categories."""
    pairs = {"ai": colours.of_services(services), "kind": colours.of_categories()}
    return " ".join(
        f"--{kind}-{n}: {pair[dark]};" for kind, of in pairs.items() for n, pair in enumerate(of)
    )


def light_colours(services: list[tuple[str, str]]) -> dict[str, str]:
    """Return each colour of the light page by its variable's name."""
    declared = re.findall(r"--([\w-]+): ([^;]+);", _LIGHT + shades(services, dark=False))
    return dict(declared)


def html(page: dict, services: list[tuple[str, str]]) -> str:
    """Return the page. Its policy lets run only what is in it, or beside it."""
    light = shades(services, dark=False)
    style = _STYLE.replace("{{dark}}", colours.DARK + shades(services, dark=True))
    style = f":root {{ {light} }}\n" + style.replace("{{light}}", _LIGHT + light)
    # The bundle has names of one letter at its top level: kept apart from the page's own.
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
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
