"""Stored answers: keys, stores, and one call for identical questions."""
