"""Settings of the HTTP service."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ServerSettings(BaseModel):
    """How ``orchestrator serve`` keeps conversations, and what it lets in."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    database: str = Field(
        default="",
        description="Conversations and keys: a path, sqlite:///FILE or postgresql://…; empty: in"
        " the user's data directory.",
    )
    personas: str = Field(
        default="", description="Directory of personas; empty: in the user's data directory."
    )
    audit: str = Field(
        default="", description="Directory of the audit log; empty: in the user's state directory."
    )
    audit_days: int = Field(default=90, ge=0, description="Days whose files are kept; 0: all.")
    hosts: tuple[str, ...] = Field(
        default=(), description="Names that requests may be sent to, beside the address bound to."
    )
    origins: tuple[str, ...] = Field(
        default=(), description="Origins of pages whose scripts may call; none: CORS is off."
    )
    body_kb: int = Field(default=1024, ge=1, le=65_536, description="Largest body of a request.")
    parallel: int = Field(default=256, ge=1, description="Requests at once; more get a 503.")
    deadline_s: float = Field(default=300.0, gt=0, description="Seconds for one request.")
    shutdown_s: float = Field(
        default=30.0, ge=0, description="Seconds that turns in flight get when the service ends."
    )
