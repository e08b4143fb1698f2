"""What turns the topology that sparse training learns: 24 runs as one experiment. The same as `ticketlab topology`."""

import sys

from ticketlab.cli.main import start

if __name__ == "__main__":
    sys.exit(start("topology"))
