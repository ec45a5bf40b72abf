"""A model in plain words and pictures."""
