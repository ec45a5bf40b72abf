"""The command line: `main` reads the arguments, one file per command does the work."""
