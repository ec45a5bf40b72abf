"""The embedded provider: answers without a key and without a network."""
