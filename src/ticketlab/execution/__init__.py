"""Many replicates: launched, supervised in worker processes, and reported at the terminal."""
