"""Problems told to the person in one line. Everything else that is raised is a fault of ticketlab's own."""


class TicketlabError(Exception):
    """A problem whose message alone is enough for the person; trying again would not help."""


class EndsRun(TicketlabError):
    """A problem that every replicate would meet, so that the whole run ends."""


class BadInput(EndsRun):
    """A mistake in a flag, a file or a folder."""


class WriteFailed(EndsRun):
    """A file could not be written: a full disk, say."""


class Diverged(TicketlabError):
    """The loss is no longer a finite number."""
