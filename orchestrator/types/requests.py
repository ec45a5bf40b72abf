"""What travels through the flow: a request, its answer, the judgement, the result.

Two Protocols hold the package together. `Completer` answers a request: the Router, the cache in
front of it, and a test's script are all completers. `Contract` judges an answer. The loop in
`orchestrator.generation.loop` knows only these two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from orchestrator.types.diagnostics import Diagnostic, Report
    from orchestrator.types.messages import LLMMessage

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: How an answer is forced into shape, strictest first: the provider enforces the schema, the
#: answer is the argument of a tool, the provider promises JSON, or only the prompt asks for it.
OutputMode = Literal["json_schema", "tool_call", "json_object", "prompt"]

#: Whether the cache may answer: yes; ask anew and store; neither read nor write; it must, a miss
#: is an error; from recordings, and what is missing there is asked and recorded.
CacheMode = Literal["use", "refresh", "off", "replay", "record"]

#: The same with more to say: ``{"mode": "use", "ttl": 60, "tag": "trial"}``, and LiteLLM's
#: ``no-cache``, ``no-store`` and ``s-maxage``.
Caching = CacheMode | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How an answer is kept, and which one is taken.

    Attributes:
        ttl_s: for how many seconds; 0 as configured.
        tag: a word to forget it by.
        oldest_s: the age of the oldest answer that is taken, in seconds; 0 for any.
    """

    ttl_s: float = 0.0
    tag: str = ""
    oldest_s: float = 0.0


#: What an answer is, before anything is said about its content.
AnswerKind = Literal[
    "parsed",  # has the asked form
    "unparsed",  # is not in the asked form
    "refusal",  # the model declined
    "schema_echo",  # the model sent the schema back
    "empty",  # nothing in it
    "truncated",  # cut off by its length limit
]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or several calls."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together; cached tokens are part of the prompt."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one route, complete: equal requests have equal answers in the cache.

    Attributes:
        messages: the conversation so far.
        route: name of the model group to ask.
        parameters: LiteLLM's call arguments beside model and messages (temperature, max_tokens…).
        mode: how the answer is forced into shape.
        schema: JSON schema of the answer; sent when `mode` is ``json_schema`` or ``tool_call``.
        in_words: what asks for the same in the other modes, added to the last message.
        schema_name: the name the provider sees for it.
        templates: version hash of every prompt template used, by name.
        sample: number of an independent sample of the same question.
        timeout_s: most seconds one wire attempt may take; does not shape the answer.
        cache: whether the cache may answer; does not shape the answer.
        keep: how the answer is kept; does not shape the answer.
        purpose: why it is asked (``generate``, ``patch``, ``rewrite``…), for the ledger; does not
            shape the answer.
    """

    messages: tuple[LLMMessage, ...]
    route: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    mode: OutputMode = "prompt"
    schema: Mapping[str, object] | None = None
    schema_name: str = ""
    in_words: str = ""
    templates: Mapping[str, str] = field(default_factory=dict)
    sample: int = 0
    timeout_s: float = 60.0
    cache: CacheMode = "use"
    keep: CachePolicy = CachePolicy()
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class WireAttempt:
    """One call as it left the process, whatever became of it.

    Attributes:
        deployment: id of the deployment asked.
        outcome: ``answered`` or the name of the error.
        cost_usd: None when the provider's price is not known.
    """

    deployment: str
    provider: str
    model: str
    outcome: str
    status: int = 0
    seconds: float = 0.0
    usage: Usage = Usage()
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a request.

    Attributes:
        text: the content, empty when there is none.
        finish: why the model stopped: ``stop``, ``length``, ``content_filter``, ``tool_calls``.
        refusal: the model's refusal in its own field, empty when it did not use it.
        model, provider, deployment: who answered.
        usage: tokens as the provider counted them.
        cost_usd: what this answer cost when it was bought; None when the price is not known.
        billed_usd: what it costs now: 0 for an answer from the cache.
        cached: whether the cache answered.
        seconds: time from asking to the whole answer.
        wire: every call made for it, in order; empty for an answer from the cache.
    """

    text: str
    finish: str = "stop"
    refusal: str = ""
    model: str = ""
    provider: str = ""
    deployment: str = ""
    usage: Usage = Usage()
    cost_usd: float | None = None
    billed_usd: float | None = None
    cached: bool = False
    seconds: float = 0.0
    wire: tuple[WireAttempt, ...] = ()

    def from_cache(self) -> Answer:
        """The same answer as the cache gives it: nothing is billed, no wire was used."""
        return replace(self, cached=True, billed_usd=0.0, seconds=0.0, wire=())


@dataclass(frozen=True, slots=True)
class Evaluation(Generic[T_co]):
    """What a contract found in one answer.

    Attributes:
        answer: what the answer is.
        value: the typed value, None when the answer did not parse.
        text: the value in its canonical spelling, empty when there is none.
        report: findings that remain, and those repaired locally.
    """

    answer: AnswerKind
    value: T_co | None
    text: str
    report: Report

    @property
    def is_accepted(self) -> bool:
        """Whether the answer fulfils its contract: it parsed and its report has no error."""
        return self.answer == "parsed" and self.report.is_accepted

    @property
    def kind(self) -> str:
        """``accepted`` or ``faulty`` for an answer that parsed, else what it is."""
        if self.answer != "parsed":
            return self.answer
        return "accepted" if self.is_accepted else "faulty"


@dataclass(frozen=True, slots=True)
class PartialReading:
    """What can be read of an answer that is still arriving.

    Attributes:
        value: the value as far as it is there.
        closed: JSON pointers of its parts that no later text can change.
        findings: errors in those parts.
    """

    value: object
    closed: tuple[str, ...]
    findings: tuple[Diagnostic, ...] = ()


class Completer(Protocol):
    """Answers requests. The Router, the cache in front of it and a test's script are completers."""

    async def complete(self, request: Request) -> Answer:
        """Answer one request.

        Raises:
            LLMError: no answer could be had.
        """
        ...


@runtime_checkable
class Contract(Protocol[T]):
    """Says what a valid answer is. Pure and deterministic: only code judges, never a model.

    Attributes:
        name: identifier sent to providers beside the schema.
        version: changes whenever the same text could be judged differently.
        schema: JSON schema of the answer, in the strict form providers take.
        accepts_cut_off: whether an answer that its length limit cut off is evaluated as far as it
            goes; otherwise it is asked for again with more tokens.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def schema(self) -> Mapping[str, object]: ...
    @property
    def accepts_cut_off(self) -> bool: ...

    def evaluate(self, text: str) -> Evaluation[T]:
        """Parse, check, repair locally, check again."""
        ...

    def name_keyed(self, evaluation: Evaluation[T]) -> str:
        """The best value so far as name-keyed JSON text to patch; empty if it cannot be patched."""
        ...

    def apply_patch(self, evaluation: Evaluation[T], patch: str) -> Evaluation[T]:
        """Apply a model's JSON Patch to the view of `evaluation` and judge the outcome.

        A whole document in place of the patch is taken when it fulfils the contract. A patch that
        does not parse, does not apply or changes nothing comes back as a finding of its own on an
        otherwise unchanged judgement.
        """
        ...

    def explain(self, evaluation: Evaluation[T]) -> str:
        """The findings in words and labels, as they are shown to a model."""
        ...

    def read_partial(self, text: str) -> PartialReading | None:
        """What can be read of `text`, the beginning of an answer; None while nothing can be."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T_co]):
    """One round of the loop: what was asked, what came, how it was judged.

    Attributes:
        purpose: ``generate``, ``patch``, ``rewrite``, ``fresh`` or ``escalate``.
        reason: why this round was asked, in a few words; empty for the first.
    """

    request: Request
    answer: Answer
    evaluation: Evaluation[T_co]
    purpose: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Generation(Generic[T]):
    """A value that passed its contract, with everything that led to it.

    Attributes:
        spec: the typed value.
        text: its canonical spelling; also what `str()` gives.
        report: findings, repairs, and whether it runs and behaves.
        attempts: every round, in order, raw answers included.
        usage: tokens over all rounds, cached answers included.
        cost_usd: billed now, over all rounds; None when a price is not known.
        cached: whether every answer came from the cache.
        citations: sources used, when search was asked for.
    """

    spec: T
    text: str
    report: Report
    attempts: tuple[Attempt[T], ...]
    usage: Usage
    cost_usd: float | None
    cached: bool
    citations: tuple[str, ...] = ()

    @property
    def value(self) -> T:
        """`spec` under the name that suits any contract."""
        return self.spec

    @property
    def provider(self) -> str:
        """Who gave the accepted answer; ``offline`` for the embedded provider."""
        return self.attempts[-1].answer.provider if self.attempts else ""

    @property
    def model(self) -> str:
        """The model that gave the accepted answer."""
        return self.attempts[-1].answer.model if self.attempts else ""

    def __str__(self) -> str:
        return self.text
