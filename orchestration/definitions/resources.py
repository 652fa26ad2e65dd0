"""What the steps of a run share: its settings, the lock, and what could not be done meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dagster import resource

from orchestration.lock import only_run
from orchestration.publication.mirror import mirror_current
from orchestration.settings import Settings, UserError, load_settings


@dataclass
class Night:
    """A run: the settings it began with, and what failed though it went on."""

    settings: Settings
    failures: list[UserError] = field(default_factory=list)

    def mirror(self) -> None:
        """Have on object storage what is published, where that is set; a failure ends no step."""
        try:
            mirror_current(self.settings)
        except UserError as error:
            self.failures.append(error)

    def end(self) -> None:
        """Have the night fail, now that all else is done, if anything could not be done.

        Raises:
            UserError: says all of that.
        """
        if self.failures:
            raise UserError("\n".join(self.reasons("All else was done, but:")))

    def reasons(self, heading: str) -> list[str]:
        """Return what could not be done, under a heading; nothing if there is nothing."""
        # Object storage that is out of reach fails each source in the same words.
        return [heading, *dict.fromkeys(map(str, self.failures))] if self.failures else []


@resource
def night() -> Iterator[Night]:
    """A night, and for the length of a run the lock on everything under AI_USAGE_HOME."""
    settings = load_settings()
    with only_run(settings):
        yield Night(settings)
