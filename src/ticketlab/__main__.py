"""`python -m ticketlab` is the command `ticketlab`."""

import sys

from ticketlab.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
