"""Tables learned from a log, and where a log contradicts its model."""
