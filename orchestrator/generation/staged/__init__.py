"""Staged mode: a model answers small closed questions, and code writes the document."""
