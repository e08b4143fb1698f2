"""Errors whose message tells the user the problem in one line. Any other exception is a bug of ticketlab."""


class TicketlabError(Exception):
    """A problem that its message explains; trying again would not help."""


class EndsRun(TicketlabError):
    """A problem that every replicate would meet, so that the whole run ends."""


class BadInput(EndsRun):
    """A mistake in a flag, a file or a folder."""


class WriteFailed(EndsRun):
    """A file could not be written: a full disk, say."""


class Diverged(TicketlabError):
    """The loss is no longer a finite number."""
