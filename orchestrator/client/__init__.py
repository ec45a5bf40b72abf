"""What a program calls: the facade, its wiring, structured values and LiteLLM's own calls."""
