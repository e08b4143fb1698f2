"""A run in a format for other tools: masks, tickets, trained networks, a slim copy. The same as `ticketlab export`."""

import sys

from ticketlab.cli.main import start

if __name__ == "__main__":
    sys.exit(start("export"))
