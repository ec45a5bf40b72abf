"""Instructor."""

from __future__ import annotations

import instructor
from openai import OpenAI
from task import MOST_TRIES, PROMPT, Chain, run


def ask(base: str, mix: str) -> object:
    """One answer."""
    client = instructor.from_openai(
        OpenAI(base_url=base, api_key="none"), mode=instructor.Mode.JSON_SCHEMA
    )
    return client.chat.completions.create(
        model=mix,
        messages=[{"role": "user", "content": PROMPT}],
        response_model=Chain,
        max_retries=MOST_TRIES + 1,
    )


run(ask)
