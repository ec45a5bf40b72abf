"""Tasks for agents that are registered by name: run alone, as a stream, or many at once."""
