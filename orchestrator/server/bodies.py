"""What requests carry, and what comes back; the OpenAPI document is made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.agents.interaction import Interaction
from orchestrator.agents.memory import Conversation, Turn
from orchestrator.types.requests import AgentType

Text = Annotated[str, Field(min_length=1, max_length=1_000_000)]
#: Kinds of documents that are read, and forms that they are written in, as `gmn.imports` has them.
DocumentKind = Literal[
    "text", "json", "sections", "graph", "flat_pomdp", "arrays", "gnn", "bundle", "pomdp"
]
Form = Literal["gmn", "json", "pymdp", "pymdp-script", "gnn", "pomdp"]
Name = Annotated[str, Field(min_length=1, max_length=200)]


def _config(example: dict[str, Any] | None = None) -> ConfigDict:
    extra: Any = {"examples": [example]} if example else None
    return ConfigDict(extra="forbid", protected_namespaces=(), json_schema_extra=extra)


#: A small valid document for the examples.
_DOCUMENT = """gmn 1.0
agent walker { type: explorer }
node state pos { labels: [a, b] }
node observation place { labels: [a, b] }
node action go { labels: [left, right] }
node emission A { from: [pos] to: place rows: [[0.9, 0.1], [0.1, 0.9]] }
node transition B { from: [go, pos] to: pos shift moves: {left: [-1], right: [1]} }
node belief D { about: pos rows: [[0.5, 0.5]] }
node preference C { on: place values: [0, 1] }
node policy pi { horizon: 2 gamma: 8 }
"""


class _Body(BaseModel):
    model_config = _config()


class InteractBody(_Body):
    """A message of a user to a persona.

    Attributes:
        session_id: the conversation; without it the user's newest with the persona goes on.
        context: data that the answer may rest on; it is shown quoted.
        stream: answer as Server-Sent Events in the AG-UI vocabulary.
    """

    message: Text
    user_id: Name = "anonymous"
    persona_id: Name | None = None
    session_id: Name | None = None
    model: Name | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=131_072)
    context: str = Field(default="", max_length=200_000)
    stream: bool = False

    model_config = _config(
        {"message": "Hello, who are you?", "user_id": "ada", "persona_id": "cherry"}
    )


class InteractReply(_Body):
    """A turn that was answered."""

    response: str
    persona: str
    model: str
    provider: str
    usage: dict[str, int]
    cost_usd: float | None
    session_id: str
    interaction_id: str
    number: int
    response_time_ms: float
    repeated: bool
    notes: list[str]

    @classmethod
    def of(cls, made: Interaction) -> InteractReply:
        """The reply for an interaction."""
        return cls(
            response=made.text, persona=made.persona, model=made.model, provider=made.provider,
            usage=dict(made.usage), cost_usd=made.cost_usd, session_id=made.session_id,
            interaction_id=made.interaction_id, number=made.number,
            response_time_ms=round(made.response_time_ms, 3), repeated=made.is_repeated,
            notes=list(made.notes),
        )  # fmt: skip


class ChatMessage(_Body):
    """One message."""

    role: Literal["system", "user", "assistant"]
    content: Text


class DirectBody(_Body):
    """Messages for a model, without persona and memory."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    model: Name | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=131_072)

    model_config = _config({"messages": [{"role": "user", "content": "Hello"}]})


class DirectReply(_Body):
    """An answer of a model; `refusal` is what it says where it declines."""

    response: str
    refusal: str
    model: str
    provider: str
    usage: dict[str, int]
    cost_usd: float | None
    cached: bool
    finish: str
    response_time_ms: float


class _Wishes(_Body):
    """What a generated model is held to."""

    constraints: dict[str, int] = Field(default={}, max_length=20)
    expectations: list[Annotated[str, Field(max_length=1000)]] = Field(default=[], max_length=50)
    model: Name | None = None


class GenerateBody(_Wishes):
    """A description of an agent."""

    prompt: Annotated[str, Field(min_length=1, max_length=32_768)]
    agent_type: AgentType = "general"
    seed: int | None = Field(default=None, ge=0, le=2**31)
    stream: bool = False

    model_config = _config(
        {"prompt": "a cautious explorer for a 5x5 grid who must reach the corner"}
    )


class DocumentBody(_Body):
    """A document, as text of any spelling or as JSON.

    Attributes:
        kind: what it is, where it could be read as several kinds; else it is recognised.
    """

    document: Annotated[str, Field(min_length=1, max_length=4_000_000)] | dict[str, Any]
    kind: DocumentKind | Literal[""] = ""

    model_config = _config({"document": _DOCUMENT})


class ValidateBody(DocumentBody):
    """A document to judge."""

    constraints: dict[str, int] = Field(default={}, max_length=20)
    expectations: list[Annotated[str, Field(max_length=1000)]] = Field(default=[], max_length=50)

    model_config = _config({"document": _DOCUMENT, "constraints": {"max_states": 4}})


class RefineBody(DocumentBody, _Wishes):
    """A document, and what to change in it."""

    feedback: Annotated[str, Field(min_length=1, max_length=32_768)]
    stream: bool = False

    model_config = _config({"document": _DOCUMENT, "feedback": "make it prefer a"})


class ImportBody(DocumentBody):
    """A document of any tool, and the form that it is wanted in."""

    to: Form = "gmn"

    model_config = _config(
        {"document": {"A": [[0.9, 0.2], [0.1, 0.8]], "B": [[1, 0], [0, 1]]}, "kind": "arrays"}
    )


class SimulateBody(DocumentBody):
    """A document to run."""

    steps: int = Field(default=10, ge=1, le=1000)
    seed: int = Field(default=0, ge=0, le=2**31)
    expectations: list[Annotated[str, Field(max_length=1000)]] = Field(default=[], max_length=20)
    episodes: int = Field(default=40, ge=1, le=1000)

    model_config = _config({"document": _DOCUMENT, "steps": 3})


class DrawBody(DocumentBody):
    """A document to draw; `steps` and `seed` are of the episode that the part trace draws."""

    parts: list[Literal["graph", "tables", "preferences", "trace"]] = Field(
        default=["graph", "tables", "preferences"], min_length=1, max_length=4
    )
    steps: int = Field(default=20, ge=1, le=1000)
    seed: int = Field(default=0, ge=0, le=2**31)

    model_config = _config({"document": _DOCUMENT, "parts": ["graph"]})


class TablesBody(DocumentBody):
    """A document, and which part of its tables to show; all of them where nothing is named.

    Attributes:
        of, table: the one table, by its variable and by which of its tables it is.
    """

    of: Annotated[str, Field(max_length=200)] = ""
    table: Literal["", "likelihood", "transition", "prior"] = ""
    labels: dict[str, str] = Field(default={}, max_length=20)
    first: int = Field(default=0, ge=0, le=2**31)

    model_config = _config({"document": _DOCUMENT, "of": "pos", "labels": {"go": "left"}})


class DiffBody(DocumentBody):
    """A document, and the one before it, each with its kind where it could be several."""

    before: Annotated[str, Field(min_length=1, max_length=4_000_000)] | dict[str, Any]
    before_kind: DocumentKind | Literal[""] = ""
    steps: int = Field(default=20, ge=1, le=200)
    seed: int = Field(default=0, ge=0, le=2**31)

    model_config = _config(
        {"document": _DOCUMENT, "before": _DOCUMENT.replace("gamma: 8", "gamma: 4")}
    )


class ConversationBody(_Body):
    """A conversation to begin."""

    user_id: Name = "anonymous"
    persona_id: Name | None = None

    model_config = _config({"user_id": "ada", "persona_id": "cherry"})


class ConversationReply(_Body):
    """A conversation; times are seconds since 1970."""

    id: str
    user_id: str
    persona_id: str
    started_at: float
    ended_at: float | None
    turns: int

    @classmethod
    def of(cls, one: Conversation) -> ConversationReply:
        """The reply for a conversation."""
        return cls(id=one.id, user_id=one.user_id, persona_id=one.persona_id,
                   started_at=one.started_at, ended_at=one.ended_at, turns=one.turns)  # fmt: skip


class TurnReply(_Body):
    """A turn; `state` is asked, answered or failed, `partial` what has come of it so far."""

    id: str
    number: int
    state: str
    message: str
    answer: str | None
    partial: str | None
    details: dict[str, Any]
    asked_at: float
    answered_at: float | None

    @classmethod
    def of(cls, one: Turn) -> TurnReply:
        """The reply for a turn."""
        return cls(id=one.id, number=one.number, state=one.state, message=one.message,
                   answer=one.answer, partial=one.partial, details=dict(one.details),
                   asked_at=one.asked_at, answered_at=one.answered_at)  # fmt: skip
