"""Tables, figures and a report of finished runs, offline and without TensorFlow. The same as `ticketlab analyze`."""

import sys

from ticketlab.cli.main import start

if __name__ == "__main__":
    sys.exit(start("analyze"))
