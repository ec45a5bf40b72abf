"""Ours against the tools people use for structured answers, over the same scripted model."""
