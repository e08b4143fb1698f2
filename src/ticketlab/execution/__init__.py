"""Many replicates: launched, supervised in worker processes, shown at the terminal."""
