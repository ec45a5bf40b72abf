"""Hits of one cache after the other, in processes that do the same at the same time."""
