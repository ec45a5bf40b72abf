"""A million prompts against providers with rate limits, in virtual time."""
