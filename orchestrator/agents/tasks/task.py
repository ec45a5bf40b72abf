"""What is to be done, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from orchestrator.parsing.spelling import nearest
from orchestrator.types.errors import LLMError, OrchestratorError
from orchestrator.types.requests import Answer


class AgentType(StrEnum):
    """Who answers for an agent; the name of a provider is a type too.

    `CUSTOM` is a server that speaks OpenAI's protocol, at ``metadata["api_base"]``, or any model
    in LiteLLM's spelling, ``prefix/model``.
    """

    ANTHROPIC_CLAUDE = "anthropic-claude"
    OPENAI_GPT = "openai-gpt"
    GOOGLE_GEMINI = "google-gemini"
    HUGGINGFACE = "huggingface"
    OLLAMA = "ollama"
    LMSTUDIO = "lmstudio"
    CUSTOM = "custom"


class AgentInterface(StrEnum):
    """How an agent does its work: it asks a model, or it runs a program."""

    API = "api"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class AgentTask:
    """One thing to do.

    Attributes:
        task_id: name of the task among those that run with it.
        description: what is to be done, in the words that the model gets.
        metadata: ``context`` is shown to the model as data beside the description, or handed to
            the script; what else is in it is the caller's own, and nobody is sent it.
        depends_on: ids of the tasks whose outputs it needs.
        agent: name of the agent that does it, where the call names none.
    """

    task_id: str
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    agent: str = ""

    def __post_init__(self) -> None:
        """Raises: TypeError, ValueError: a field is of another type, or blank."""
        for name in ("task_id", "description", "agent"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a str, not {type(value).__name__}")
            if not value.strip() and name != "agent":
                raise ValueError(f"{name} is blank; every task has a name and says what to do")
        if not isinstance(self.metadata, Mapping):
            raise TypeError(f"metadata must be a mapping, not {type(self.metadata).__name__}")
        for name in self.metadata:
            if name != "context" and nearest(str(name), ("context",)):
                raise ValueError(f"metadata has {name!r}, which nobody is sent; write 'context'")
        try:
            json.dumps(self.metadata.get("context"), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"metadata.context has no JSON form: {error}") from None
        named = self.depends_on
        is_list = isinstance(named, list | tuple)
        if not is_list or not all(isinstance(one, str) for one in named):
            raise TypeError(f"depends_on must be a list of the ids of tasks, not {named!r}")
        object.__setattr__(self, "depends_on", tuple(dict.fromkeys(named)))


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What came of a task.

    Attributes:
        output: the text; empty where the task is not ``done``.
        metadata: JSON data. ``execution_method`` (``api``, ``script``, or ``none`` for a skipped
            task), ``agent``, ``agent_type``, ``provider``, ``model``, ``usage`` (tokens), ``cost``
            (dollars; None where a price is not known), ``seconds``; of a model's answer also
            ``deployment``, ``cached``, ``finish`` (``length``: it was cut off) and
            ``wire_attempts``; of a program ``script`` and, where a model had failed before it,
            ``fallback_reason`` and ``api_error``; ``error`` or ``skipped_because`` where it is not
            done.
        status: ``skipped`` says that a task that it depends on is not done.
        error: why it failed; None otherwise.
    """

    task_id: str
    output: str
    metadata: Mapping[str, Any]
    status: Literal["done", "failed", "skipped"] = "done"
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """An agent begins; with a `reason` its program, because the model failed so: discard the
    texts before."""

    task_id: str
    agent: str
    execution_method: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TaskText:
    """The next piece of an output; streams only."""

    task_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task is over: so many of all are now."""

    result: TaskResult
    finished: int = 1
    total: int = 1


TaskEvent = TaskStarted | TaskText | TaskFinished
#: Called with every event, on the event loop; it must return quickly and must not raise.
TaskHook = Callable[[TaskEvent], None]


class NoOutputError(LLMError):
    """A model answered without any text; `answer` is what came, and was paid for."""

    answer: Answer

    def __init__(self, answer: Answer) -> None:
        why = f"it declined: {answer.refusal}" if answer.refusal else f"finish {answer.finish!r}"
        super().__init__(
            f"{answer.model} answered without text ({why}).",
            deployment=answer.deployment,
            provider=answer.provider,
            wire_attempts=len(answer.wire),
        )
        self.answer = answer


class ScriptError(OrchestratorError):
    """A program could not be run, was ended, or gave no usable output."""
