"""LiteLLM's Router as a completer, and the embedded provider beside it."""
