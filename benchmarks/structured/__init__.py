"""Compares tools for structured answers over the same scripted model."""
