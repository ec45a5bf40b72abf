"""An agent of a compiled model acts: in its own process, in an environment, along an episode."""
