"""From a description to an accepted answer: prompts, contract, refinement policy and loop."""
