"""Evaluation of generation: scores over sets of cases, plots, and fine-tuning data."""
