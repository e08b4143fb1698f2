"""Commands: flags from specs, errors in one line, subcommands."""
