"""What a person sees of a run: a line for each step, and a bar while one lasts."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

# Names of files and users are data: they are never read as markup.
# Bound to the real standard output, which others' chatter is kept away from.
console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)


@dataclass
class Step:
    """A step under way; `result` is what its line says in the end."""

    progress: Progress
    task: TaskID
    result: str = ""

    def advance(self, done: int, total: int) -> None:
        """Show how many of the things to do are done."""
        self.progress.update(self.task, completed=done, total=total)


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Show a bar on a terminal, and at the end a line: the step, its seconds, its result."""
    started = time.monotonic()
    columns = (TextColumn(f"  {title:<10}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        under_way = Step(progress, progress.add_task(title, total=None))
        yield under_way
    seconds = time.monotonic() - started
    console.print(f"  {title:<10}{seconds:7.1f} s   {under_way.result}")
