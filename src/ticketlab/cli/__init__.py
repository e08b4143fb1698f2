"""Commands: flags from specs, errors in one line, what is printed at the end."""
