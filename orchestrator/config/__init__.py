"""Settings, the files that hold them, and the table of providers."""
