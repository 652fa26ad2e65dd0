"""What a mart's YAML says of it under config.meta: how its measures add up, and its reports."""

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from orchestration.settings import UserError

_MEASURE_HELP = (
    "sum, as is (never added up), per day (a mean over days), category (no measure at all), "
    "mean by <column>, "
    "percentile <number> of <column> by <from column>, <to column>, or an expression of columns "
    "that add up, such as failed_requests / requests"
)
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@dataclass
class Mart:
    """A public model, and how the page adds up its columns."""

    schema: str
    name: str
    file: str
    description: str
    columns: dict[str, str]
    about: dict[str, str]
    measures: dict[str, dict] = field(default_factory=dict)

    @property
    def date(self) -> str | None:
        """The column that dates filter by."""
        return next((c for c, t in self.columns.items() if t in ("date", "timestamp")), None)

    @property
    def dimensions(self) -> list[str]:
        """Columns that rows can be grouped by."""
        return [
            column
            for column, data_type in self.columns.items()
            if column not in self.measures and (data_type != "double" or is_bound(column))
        ]

    def to_page(self) -> dict:
        """Return it as the page's script reads it."""
        return {
            "schema": self.schema,
            "description": self.description,
            "about": self.about,
            "columns": list(self.columns),
            "date": self.date,
            "measures": self.measures,
        }

    def error(self, key: str, problem: str, allowed: str) -> UserError:
        """Return what to tell whoever wrote the YAML."""
        return UserError(f"{self.file}: {key} {problem}. Allowed: {allowed}.")


def is_bound(column: str) -> bool:
    """Tell whether a column is a bound of a bucket, such as response_time_from_ms."""
    return bool(re.search(r"_(from|to)_(ms|s)$", column))


def read_mart(node: dict) -> Mart:
    """Read a manifest node's columns and `config.meta.measures`.

    Raises:
        UserError: a measure is declared wrongly; says in which file, and what is allowed.
    """
    mart = Mart(
        node["schema"],
        node["name"],
        (node["patch_path"] or node["original_file_path"]).split("://")[-1],
        " ".join(node["description"].split()),
        # The page knows days and hours, and no moments.
        {
            name: column["data_type"]
            for name, column in node["columns"].items()
            if not name.endswith("_at")
        },
        {name: " ".join(c["description"].split()) for name, c in node["columns"].items()},
    )
    declared = _meta(node).get("measures") or {}
    if not isinstance(declared, dict):
        raise mart.error("config.meta.measures", "is no mapping", "<measure>: <how it adds up>")
    for name, data_type in mart.columns.items():
        if data_type == "bigint" or data_type.startswith("decimal"):
            mart.measures[name] = {"how": "sum", "of": name}
    for name, how in declared.items():
        if how == "category" and name in mart.columns:
            mart.measures.pop(name, None)
        else:
            mart.measures[name] = _measure(mart, name, str(how))
    return mart


def declared_reports(node: dict, mart: Mart) -> list[dict[str, Any]]:
    """Return what stands under `config.meta.report`: one report, a list of them, or none."""
    reports = _meta(node).get("report") or []
    reports = reports if isinstance(reports, list) else [reports]
    for report in reports:
        if not isinstance(report, dict):
            raise mart.error("config.meta.report", f"has {report!r}", "a report, or a list of them")
    return reports


def _meta(node: dict) -> dict:
    return (node.get("config") or {}).get("meta") or {}


def _measure(mart: Mart, name: str, how: str) -> dict:
    key = f"config.meta.measures.{name}"

    def column(word: str) -> str:
        if word not in mart.columns:
            raise mart.error(key, f"names {word!r}, no column", ", ".join(mart.columns))
        return word

    if how in ("sum", "per day", "as is"):
        return {"how": how, "of": column(name)}
    if match := re.fullmatch(r"mean by (\w+)", how):
        return {"how": "mean", "of": column(name), "by": column(match[1])}
    if match := re.fullmatch(r"percentile (\d+) of (\w+) by (\w+), (\w+)", how):
        of, low, high = (column(match[n]) for n in (2, 3, 4))
        return {"how": "percentile", "percent": int(match[1]), "of": of, "from": low, "to": high}
    try:
        steps = _steps(ast.parse(how, mode="eval").body)
    except (SyntaxError, KeyError):
        raise mart.error(key, f"is {how!r}", _MEASURE_HELP) from None
    for step in steps:
        if isinstance(step, str) and step not in _OPERATORS.values():
            column(step)
    return {"how": "formula", "steps": steps}


def _steps(node: ast.AST) -> list[str | float]:
    """Return an expression in the order in which a stack works it out."""
    if isinstance(node, ast.BinOp):
        return [*_steps(node.left), *_steps(node.right), _OPERATORS[type(node.op)]]
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return [node.value]
    raise KeyError(type(node))
