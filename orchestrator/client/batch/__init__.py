"""Many rows, one machine: read, asked, kept and written, each exactly once."""
