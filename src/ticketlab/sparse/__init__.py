"""Chains of dense layers trained by their kept weights alone, compiled by numba: cost follows the kept weights.

From a network (mlp.py) and masks (wiring.py) to arrays (arrays.py), and what is done with them: kernels.py is the
whole of a training, activations.py, losses.py and updates.py its parts, lanes.py what they say to the compiler.
engine.py is what the rest of the house knows of it.
"""
