"""The ``orchestrator.search`` section: when a request is searched for, by whom, and within what."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from orchestrator.types.searching import SearchMode


class SearchSettings(BaseModel):
    """Current information for requests, through search engines."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    mode: SearchMode = Field(default="off", description="When a request is searched for.")
    engines: tuple[str, ...] = Field(
        default=("auto",),
        min_length=1,
        description="Asked in order until one finds something: names of search_tools, of search"
        " providers, of engines without a key, or auto.",
    )
    max_results: int = Field(default=5, ge=1, le=20, description="Results of one search.")
    timeout_s: float = Field(
        default=10.0, gt=0, le=300, description="Seconds for one search, every engine and retry."
    )
    ttl_s: float = Field(default=3600.0, gt=0, description="Seconds for which results are cached.")
    region: str = Field(
        default="",
        pattern=r"^([a-z]{2}-[a-z]{2})?$",
        description="Country and language, such as us-en; empty: as the engine chooses.",
    )
    reading: Literal["facts", "snippets"] = Field(
        default="facts",
        description="What the model is shown: facts whose quotes were checked, or snippets.",
    )
    min_hosts: int = Field(
        default=1, ge=1, le=10, description="Hosts that must say a number before it is shown."
    )
    fetch_pages: int = Field(default=0, ge=0, le=10, description="Pages read beside the snippets.")
    max_chars_per_source: int = Field(default=4000, ge=200, le=100_000)
    max_chars: int = Field(
        default=16_000, ge=200, le=1_000_000, description="Characters of all sources together."
    )
    rounds: int = Field(
        default=3, ge=1, le=10, description="Most searches that a model may ask for (mode tool)."
    )
    query_route: str = Field(
        default="", description="Route that writes the query; empty: it is cut from the request."
    )

    @field_validator("mode", mode="before")
    @classmethod
    def _is_off(cls, given: object) -> object:
        return "off" if given is False else given  # YAML reads a plain off as false
