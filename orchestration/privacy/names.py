"""What a person goes by, and whether a value, a record or a text names them."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache

from orchestration.sources import SOURCES
from orchestration.sources.litellm.spend_logs import METADATA

# An id as long as this, or with an @, is found within longer text; a shorter one may be a word.
_LONG_ID = 16
# A number may be written in another way than it is read as.
_EXPONENT = r"\d[eE][-+]?\d|\d{19}"
_LONG_NUMBER = 19
# A backslash as JSON may write it in a text that is JSON itself.
_SLASH = r"\\(?:u005[cC])?"
_SLASHES = f"{_SLASH}(?:{_SLASH})*"
_ESCAPED = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
# The n of \n is no letter.
_WORD = r"(^|[^0-9A-Za-z_]|\\[bfnrt])({})([^0-9A-Za-z_]|$)"


class Names:
    """Names of one person, and where they stand.

    A decoded value names them if it is one of the names, but for spaces around it as ingestion
    trims them, and stands in no field that is known to tell something else, such as a team or a
    count. An id that can be nothing else, by an @ or its length, does so in any field, and within
    longer text, too.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Take what the person goes by."""
        self.all = sorted(set(names))
        spelled = [_spelled(name) for name in self.all]
        # How any of them may be written in JSON or CSV, at whatever depth: for DuckDB.
        self.spelled = "|".join(spelled)
        as_word = _WORD.format(self.spelled).encode()
        # A file that is not in UTF-8 is in Latin-1 as a rule, or in Windows' form of it.
        latin = [_latin(name) for name in self.all if not name.isascii()]
        if any(latin):
            as_word += b"|" + _WORD.encode().replace(b"{}", b"|".join(filter(None, latin)))
        self._as_word = re.compile(as_word)
        spelled += [_EXPONENT] if any(map(_is_number, self.all)) else []
        self._spelled = [re.compile(pattern.encode()) for pattern in spelled]
        self._spelled += [re.compile(pattern) for pattern in latin if pattern]
        unmistakable = [name for name in self.all if "@" in name or len(name) >= _LONG_ID]
        within = _WORD.format("|".join(map(re.escape, unmistakable)))
        self._within = re.compile(within) if unmistakable else None

    def may_be_in(self, data: bytes) -> bool:
        """Whether one of them could be in there; False is certain, of JSON and CSV."""
        return any(spelled.search(data) for spelled in self._spelled)

    def are_words_of(self, data: bytes) -> bool:
        """Whether one of them stands in a text, of which nothing else is known, as a word."""
        return self._as_word.search(data) is not None

    def are_in_record(self, text: str) -> bool:
        """Whether a value of a JSON document names them, or a key that is no field of a source.

        What is text and JSON itself is looked into likewise.

        Raises:
            ValueError: it is no JSON.
        """
        return any(self._is_one(value, field) for value, field in self._values(text))

    def _is_one(self, value: str, field: str) -> bool:
        if self._within and self._within.search(value):
            return True
        return value.strip() in self.all and not _tells_something_else(field)

    def _values(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield each value of a document with the field that it stands in."""
        left = [(_decoded(text), "")]
        while left:
            value, field = left.pop()
            if isinstance(value, tuple):
                # An attribute, as OpenTelemetry has them: a key, and a value of some type.
                told = next((key for name, key in value if name == "key"), None)
                attribute = told if isinstance(told, str) else None
                for name, inner in value:
                    if name not in _FIELDS:
                        yield name, ""
                    left.append((inner, (attribute or field) if name in _WRAPPERS else name))
            elif isinstance(value, list):
                left += [(inner, field) for inner in value]
            elif isinstance(value, bool):
                yield json.dumps(value), field
            elif value is not None:
                yield value, field
                if value.lstrip()[:1] in ("{", "[", '"'):
                    try:
                        left.append((_decoded(value), field))
                    except ValueError:
                        # As Python writes it, perhaps, or cut off.
                        if self.are_words_of(value.encode(errors="surrogatepass")):
                            yield from ((name, field) for name in self.all)


def _decoded(text: str) -> object:
    """Read JSON: an object as a tuple of pairs, a number as the texts that it may be read as."""
    try:
        return json.loads(
            text,
            strict=False,
            object_pairs_hook=tuple,
            parse_int=_number,
            parse_float=_number,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(number: str) -> str | list[str]:
    """Return the texts that ingestion may make of a number: beyond 64 bits it is a double's."""
    is_whole = number.lstrip("-").isdigit() and len(number) < _LONG_NUMBER
    return number if is_whole else [number, str(float(number))]


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _latin(name: str) -> bytes | None:
    try:
        return re.escape(name.encode("cp1252"))
    except UnicodeEncodeError:
        return None


def _spelled(name: str) -> str:
    return "".join(map(_letter, name))


def _letter(letter: str) -> str:
    """Write the pattern for a letter as it is, and as JSON or CSV may escape it."""
    units = letter.encode("utf-16-be", errors="surrogatepass").hex()
    hexadecimal = re.sub("[a-f]", lambda digit: f"[{digit[0]}{digit[0].upper()}]", units)
    digits = re.findall(r"(?:\[..\]|\d){4}", hexadecimal)
    ways = [re.escape(letter), "".join(f"{_SLASHES}u{unit}" for unit in digits)]
    if letter in '"\\/':
        ways.append(f"{_SLASHES}{re.escape(letter)}")
    if letter == '"':
        ways.append('""+')
    if letter in _ESCAPED:
        ways.append(f"{_SLASHES}{_ESCAPED[letter]}")
    return f"(?:{'|'.join(ways)})"


def _fields_of(structure: object) -> set[str]:
    if isinstance(structure, list):
        return _fields_of(structure[0])
    if isinstance(structure, dict):
        return set(structure).union(*map(_fields_of, structure.values()))
    return set()


# A record may well have an id for a key, but `user` is the name of a field.
_FIELDS = _fields_of(METADATA).union(*(_fields_of(source.structure) for source in SOURCES))
_WRAPPERS = {"value", "stringValue", "intValue", "doubleValue", "boolValue"}
_QUERIES = "".join(source.query for source in SOURCES)
_OF_PEOPLE = re.compile("user|customer|owner|alias|session|prompt[._]id", re.IGNORECASE)


@cache
def _tells_something_else(field: str) -> bool:
    """Whether a field is a team's, read for something else, or the role in a message."""
    if field == "role" or "team" in field.lower():
        return True
    is_read = field in _FIELDS or (field and f"'{field}'" in _QUERIES)
    return bool(is_read and not _OF_PEOPLE.search(field))
