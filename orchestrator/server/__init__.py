"""Generation inside other servers: a model of LiteLLM's proxy."""
