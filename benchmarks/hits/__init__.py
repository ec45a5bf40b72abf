"""Times cache hits, one cache after the other, in several concurrent processes."""
