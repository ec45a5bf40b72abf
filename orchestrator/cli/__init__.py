"""The command line: `main` parses the arguments, and each command has a file of its own."""
