"""Tables, figures and a report of finished runs, offline and without TensorFlow.

Writes <outputs-dir>/<run>/ with rounds.csv, similarity.csv and more tables, figures/ and report.html; of several runs
together, the names of their folders are joined by "+".
"""

import sys

from ticketlab.cli.analyze import main

if __name__ == "__main__":
    sys.exit(main(__doc__))
