"""What a sentence commits its model to, and whether a model keeps to it."""
