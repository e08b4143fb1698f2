"""What needs the network of a finished run: exports."""
