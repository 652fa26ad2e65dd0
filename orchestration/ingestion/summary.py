"""What taking in did, in figures and in a sentence."""

from dataclasses import dataclass, field, replace

from orchestration.sources.others import KINDS

_FIELDS_NAMED = 12
_KINDS_NAMED = 5
_FILES_NAMED = 3


@dataclass
class Summary:
    """What a load did, or all loads of one source; `rejections` holds (file, line, reason).

    `others` holds (place in KINDS, records, file) of records that are of another kind and passed
    over. `new_fields` names what is not read, and no load had before.

    `files_again` counts files that were read again, since more is read of a record than before, and
    `gone` those that could not be: each is told once.

    `rows_read` counts rows of LiteLLM's database, known ones too; None where none was asked.
    """

    files: int = 0
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    rejections: list[tuple[str, int, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    others: list[tuple[int, int, str]] = field(default_factory=list)
    new_fields: list[str] = field(default_factory=list)
    files_again: int = 0
    gone: int = 0
    rows_read: int | None = None

    def __add__(self, later: "Summary") -> "Summary":
        """Sum up two loads."""
        told = [name for name in vars(self) if name != "rows_read"]
        sums = {name: getattr(self, name) + getattr(later, name) for name in told}
        return Summary(**sums, rows_read=later.rows_read)

    def followed_by(self, later: "Summary") -> "Summary":
        """Sum up two ingestions; what lies there unreadable, or ignored, the later one saw too."""
        return replace(self + later, unreadable=later.unreadable, ignored=later.ignored)

    def sentence(self) -> str:
        """Say it in a line, and whatever a person should look at in a line each."""
        lines = [f"{self.accepted:,} events from {self.files:,} new files"]
        if not self.files:
            lines = ["nothing new"]
        if self.rejected:
            lines[0] += f", {self.rejected:,} bad records set aside in raw/rejected:"
            lines += [f"{file} line {line}: {why}" for file, line, why in self.rejections[:3]]
            if self.rejected > 3:
                lines.append(f"and {self.rejected - 3:,} more")
        lines += self.of_other_kinds()
        if self.rows_read is not None:
            lines.append(f"{self.rows_read:,} rows of its database were read, known ones too")
        if self.files_again:
            lines.append(
                f"{self.files_again:,} files taken in before were read again: more is read of a "
                "record now"
            )
        if self.gone:
            lines.append(
                f"{self.gone:,} files taken in before are no longer in landing/: what they did not "
                "tell then stays unknown"
            )
        if self.new_fields:
            named = ", ".join(self.new_fields[:_FIELDS_NAMED])
            more = len(self.new_fields) - _FIELDS_NAMED
            named += f" and {more:,} more" if more > 0 else ""
            lines.append(f"fields that are not read, named this once: {named}")
        for file, why in self.unreadable[:10]:
            lines.append(f"{file} cannot be read and is tried again next time: {why}")
        if len(self.unreadable) > 10:
            lines.append(f"and {len(self.unreadable) - 10:,} more cannot be read")
        for file in self.ignored[:10]:
            lines.append(f"{file} is ignored: this is no kind of file that is read here")
        if len(self.ignored) > 10:
            lines.append(f"and {len(self.ignored) - 10:,} more are ignored")
        return "\n                      ".join(lines)

    def of_other_kinds(self) -> list[str]:
        """Say of each kind that was passed over what it is, in a line."""
        kinds: dict[str, list[tuple[int, str]]] = {}
        for place, records, file in self.others:
            told = f"{KINDS[place].name}: {KINDS[place].advice}"
            kinds.setdefault(told, []).append((records, file))
        lines = []
        for told, found in list(kinds.items())[:_KINDS_NAMED]:
            files = list(dict.fromkeys(file for _, file in found))
            named = ", ".join(files[:_FILES_NAMED])
            if len(files) > _FILES_NAMED:
                named += f" and {len(files) - _FILES_NAMED:,} more files"
            records = sum(records for records, _ in found)
            lines.append(f"passed over {records:,} records in {named}, which are {told}")
        if len(kinds) > _KINDS_NAMED:
            lines.append(f"and records of {len(kinds) - _KINDS_NAMED:,} other kinds")
        return lines
