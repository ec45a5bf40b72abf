"""What a model can earn at best, and what its agent earns of it."""
