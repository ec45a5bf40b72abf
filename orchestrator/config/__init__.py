"""Settings, their file, and where the shipped files are."""
