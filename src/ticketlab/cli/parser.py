"""How every command reads flags and ends: no abbreviations, each mistake in one line, whatever the flags are."""

import argparse
import difflib
import re
import sys
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn

from ticketlab.errors import BadInput, TicketlabError


class Formatter(argparse.HelpFormatter):
    """Help in two columns, in which no flag or name is broken at a hyphen."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations and reports each mistake in one line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **{"formatter_class": Formatter, **settings})

    def error(self, message: str) -> NoReturn:
        """End with one line on stderr and exit status 2."""
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        if unknown:
            known = list(self._option_string_actions)
            begun = [flag for flag in known if flag.startswith(unknown[1])]  # an abbreviation
            close = begun or difflib.get_close_matches(unknown[1], known, n=1)
            message += f" (did you mean {close[0]}?)" if close else ""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")

    def guarded(self, work: Callable[[], int], interrupted: str) -> int:
        """Do a command's work and return its exit status; every error is reported in one line.

        Args:
            work: function that returns the exit status.
            interrupted: line for a person who interrupts the work.

        Returns:
            The status of the work, 1 if a file could not be read or written, 2 on bad input, 130 if interrupted.
        """
        try:
            return work()
        except BadInput as error:
            self.error(str(error))
        except TicketlabError as error:
            line, status = f"{self.prog}: {error}", 1
        except KeyboardInterrupt:
            line, status = interrupted, 130
        except OSError as error:
            line, status = f"{self.prog}: {error.strerror}: {error.filename or 'stdout'}", 1
        print(line, file=sys.stderr, flush=True)
        return status
