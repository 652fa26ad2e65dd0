"""The sources: a folder each, which says all that is special about it.

    <source>/__init__.py    SOURCE: what is read of a record, what it must have, who is named in it
    <source>/records.sql    the query that types the records and says what is wrong with them

What counts of it, and which of several deliveries, its staging model says.
"""

from importlib import import_module
from pkgutil import iter_modules

from orchestration.sources.source import Source

SOURCES: tuple[Source, ...] = tuple(
    import_module(f"{__name__}.{module.name}").SOURCE
    for module in iter_modules(__path__)
    if module.ispkg
)
