"""Generation served by other programs: as a model of LiteLLM's proxy."""
