"""Beliefs and plans of a compiled model: exact where the joint is small, else by mean field."""
