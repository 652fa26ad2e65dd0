"""Five kinds of tokens, disjoint, of what a sender tells: does a part stand within its whole?"""

from typing import NamedTuple

from recomputation.values import first

TOKEN_TYPES = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")
OUTPUT_TYPES = ("output", "reasoning")
# Of which of them a finer meter is a part, with a price of its own.
FINER = {
    "input_audio": "input_uncached",
    "input_image": "input_uncached",
    "input_video": "input_uncached",
    "cache_audio_read": "cache_read",
    "cache_write_1h": "cache_write",
    "cache_write_5m": "cache_write",
    "output_audio": "output",
    "output_image": "output",
    "output_video": "output",
}
WITHIN, BESIDE = "within", "beside"


class Told(NamedTuple):
    """Tokens as a sender tells them, None where it does not; and what its parts are to wholes."""

    inputs: int | None
    read: int | None
    write: int | None
    outputs: int | None
    thought: int | None
    total: int | None = None
    cache_is: str | None = None
    thought_is: str | None = None


class Tokens(NamedTuple):
    """In the order of TOKEN_TYPES: all of each, with whatever finer meters are part of it."""

    uncached: int
    read: int
    write: int
    output: int
    thought: int


def settled(told: Told) -> tuple[str, str]:
    """Where cache and reasoning stand: as the total says, else the sender, else what fits."""
    inputs, outputs = told.inputs or 0, told.outputs or 0
    cache, thought = (told.read or 0) + (told.write or 0), told.thought or 0
    fitting = {
        (cache_is, thought_is)
        for cache_is in (WITHIN, BESIDE)
        for thought_is in (WITHIN, BESIDE)
        if told.total
        == inputs + outputs + cache * (cache_is == BESIDE) + thought * (thought_is == BESIDE)
    }
    by_total = [{one[i] for one in fitting} for i in (0, 1)]
    answers = []
    for possible, convention, part, whole in (
        (by_total[0], told.cache_is, cache, inputs),
        (by_total[1], told.thought_is, thought, outputs),
    ):
        if len(possible) == 1:
            answers += possible
        else:
            answers.append(convention or (WITHIN if part <= whole else BESIDE))
    return tuple(answers)


def with_total(told: Told) -> Told:
    """What the total tells of the input or the output, if one of them is not told."""
    if told.total is None:
        return told
    if told.inputs is None:
        told = told._replace(inputs=max(told.total - (told.outputs or 0), 0))
    if told.outputs is None:
        told = told._replace(outputs=max(told.total - told.inputs, 0))
    return told


def disjoint(told: Told) -> tuple[Tokens | None, bool]:
    """The five kinds, None without usage; and whether a part had to be cut to its whole."""
    if all(value is None for value in told[:6]):
        return None, False
    told = with_total(told)
    inputs, outputs = told.inputs or 0, told.outputs or 0
    read, write, thought = told.read or 0, told.write or 0, told.thought or 0
    cache_is, thought_is = settled(told)
    if cache_is == BESIDE:
        inputs += read + write
    if thought_is == BESIDE:
        outputs += thought
    within = min(read, inputs), min(write, inputs - min(read, inputs)), min(thought, outputs)
    was_cut = within != (read, write, thought)
    read, write, thought = within
    return Tokens(inputs - read - write, read, write, outputs - thought, thought), was_cut


def finer(tokens: Tokens | None, told: dict[str, int]) -> tuple[dict[str, int], bool]:
    """The finer meters that are told, disjoint; and whether a part had to be cut to its whole.

    What is told of the input holds what of it was cached. If of audio that is not told, and there
    is more of it than was not cached, the rest was.
    """
    if tokens is None:
        return {}, False
    wholes, told = dict(zip(TOKEN_TYPES, tokens, strict=True)), dict(told)
    audio, cached = told.get("input_audio"), told.get("cache_audio_read")
    heard = first(audio, cached, 0)
    is_cut = heard + told.get("input_image", 0) + told.get("input_video", 0) > sum(tokens[:3])
    is_cut = is_cut or (cached or 0) > heard
    if cached is None and audio is not None and audio > tokens.uncached and tokens.read:
        told["cache_audio_read"] = audio - tokens.uncached
    elif cached is not None:
        told["cache_audio_read"] = min(cached, heard)
    is_cut = is_cut or told.get("cache_audio_read", 0) > tokens.read
    for whole in ("cache_write", "output"):
        of_whole = sum(told.get(meter, 0) for meter in FINER if FINER[meter] == whole)
        is_cut = is_cut or of_whole > wholes[whole]
    if audio is not None:
        told["input_audio"] = audio - told.get("cache_audio_read", 0)
    parts = {}
    for meter, whole in FINER.items():
        if meter in told:
            parts[meter] = min(told[meter], wholes[whole])
            wholes[whole] -= parts[meter]
    return parts, is_cut


def meters(tokens: Tokens | None, parts: dict[str, int]) -> dict[tuple[str, str], int]:
    """All tokens by type and meter: the finer ones, and the rest of each type under its name."""
    if tokens is None:
        return {}
    by_meter = {(FINER[meter], meter): number for meter, number in parts.items()}
    for token_type, number in zip(TOKEN_TYPES, tokens, strict=True):
        of_type = sum(parts[meter] for meter in parts if FINER[meter] == token_type)
        by_meter[token_type, token_type] = number - of_type
    return by_meter
