"""How well generation does: evaluation sets, fine-tuning data and their pictures."""
