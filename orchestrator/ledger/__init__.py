"""One record for each request: every attempt, its tokens and its cost."""
