"""Which factors change the topology that sparse training learns, in 24 runs. The same as `ticketlab topology`."""

import sys

from ticketlab.cli.main import start

if __name__ == "__main__":
    sys.exit(start("topology"))
