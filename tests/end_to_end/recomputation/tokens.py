"""Five kinds of tokens, disjoint, of what a sender tells: does a part stand within its whole?"""

from typing import NamedTuple

TOKEN_TYPES = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")
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
    """In the order of TOKEN_TYPES."""

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
