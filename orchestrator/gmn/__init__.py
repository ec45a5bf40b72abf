"""GMN, the language of generative models: read, check, repair, compile, simulate, explain.

A library of its own: it needs numpy and pydantic, and nothing of the orchestration around it.
"""
