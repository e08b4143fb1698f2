"""Which weights are kept: masks, scores, layer densities, schedules and costs, as pure functions of NumPy arrays."""
