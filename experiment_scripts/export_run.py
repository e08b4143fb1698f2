"""A run in a form for other tools.

masks: a round's masks as .npz. csr: a round's weights as compressed sparse rows in one .npz, which SciPy reads; of a
run without weights, its masks. ticket: the weights that a run rewinds to under a round's masks, as a .keras file that
plain Keras loads and evaluates on inputs as the data set stores them; <file>.json beside it has the stored label of
each output. trained: the same with the weights at the end of the round. slim: the run without its weights.
"""

import sys

from ticketlab.cli.export import main

if __name__ == "__main__":
    sys.exit(main(__doc__))
