"""A PNG of each report, drawn without a browser, to paste into mail and slides."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import vl_convert

from orchestration.page.declarations import Report
from orchestration.page.marts import Mart
from orchestration.page.picture_rows import DAYS, PictureRows


class Painter:
    """Draws reports from the published tables, in the light colours."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        last: date,
        colours: dict[str, str],
        folder: Path,
    ) -> None:
        """Take the colours of the style sheet's variables, and the folder to write into."""
        self.rows, self.last = PictureRows(connection, last), last
        self.colours, self.folder = colours, folder
        folder.mkdir()

    def draw(self, mart: Mart, report: Report, spec: dict, domain: list[str]) -> None:
        """Write a report's picture; `spec` is its chart in Vega-Lite. No rows, no picture."""
        rows, params = self.rows.of(mart, report, domain)
        if not rows:
            return
        text = re.sub(r"var\(--([\w-]+)\)", lambda m: self.colours[m[1]], json.dumps(spec))
        spec = json.loads(text)
        if (report.series and report.chart != "heatmap") or report.chart in ("compare", "lines"):
            _show_legend(spec)
        for param in spec["params"]:
            param["value"] = params.get(param["name"], param["value"])
        ever = "date" in report.ignores or not mart.date
        dates = "All time" if ever else f"{DAYS} days to {self.last:%-d %b %Y}"
        title = {
            "text": report.title,
            "subtitle": " ".join(filter(None, (report.note, f"{dates}."))),
            "subtitleColor": self.colours["muted"],
            "color": self.colours["ink"],
            "anchor": "start",
            "frame": "group",
            "fontSize": 15,
            "offset": 14,
        }
        spec |= {
            "datasets": {"rows": rows, "hovered": []},
            "title": title,
            "width": 760,
            "padding": 20,
            "background": self.colours["card"],
            "autosize": {"type": "pad"},
        }
        name = re.sub(r"[^a-z0-9]+", "_", report.title.lower())
        png = vl_convert.vegalite_to_png(spec, scale=2)
        (self.folder / f"{report.tab}_{name}.png").write_bytes(png)


def _show_legend(node: Any) -> None:
    if isinstance(node, list):
        for child in node:
            _show_legend(child)
    elif isinstance(node, dict):
        if isinstance(node.get("color"), dict) and "scale" in node["color"]:
            node["color"]["legend"] = {"title": None, "orient": "bottom", "symbolType": "square"}
        for child in node.values():
            _show_legend(child)
