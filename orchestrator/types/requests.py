"""The data of one generation: request, answer, evaluation, attempt, result.

Two Protocols hold the package together. `Completer` answers a request: the Router, the cache in
front of it, and a test's script are all completers. `Contract` evaluates an answer. The loop in
`orchestrator.generation.loop` knows only these two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar, runtime_checkable

from orchestrator.types.caching import AS_CONFIGURED, CacheMode, CachePolicy
from orchestrator.types.presentation import Presentation
from orchestrator.types.searching import NOT_SEARCHED, Citation, SearchReport

if TYPE_CHECKING:
    from orchestrator.types.diagnostics import Diagnostic, Report
    from orchestrator.types.messages import LLMMessage
    from orchestrator.types.run_context import RunContext

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class OutputMode(StrEnum):
    """How a request asks for the shape of its answer, strictest first."""

    JSON_SCHEMA = "json_schema"  # the provider enforces the schema
    TOOL_CALL = "tool_call"  # the answer is the argument of a tool
    JSON_OBJECT = "json_object"  # the provider promises JSON
    PROMPT = "prompt"  # only the prompt asks for it

    @property
    def sends_schema(self) -> bool:
        """Whether the provider gets the schema itself; else the prompt says it in words."""
        return self in (OutputMode.JSON_SCHEMA, OutputMode.TOOL_CALL)

    @property
    def weaker(self) -> OutputMode | None:
        """The mode to ask in when a provider refuses this one; None after the weakest."""
        modes: list[OutputMode | None] = [*OutputMode, None]
        return modes[modes.index(self) + 1]

    def __repr__(self) -> str:
        return repr(self.value)  # as pydantic lists it among the values that are accepted


#: The kinds of agents that the prompts know.
AgentType = Literal["explorer", "trader", "coordinator", "general"]

#: The kind of an answer, before its content is checked.
AnswerKind = Literal[
    "parsed",  # has the requested form
    "unparsed",  # does not have the requested form
    "refusal",  # the model declined
    "schema_echo",  # the model sent the schema back
    "empty",  # contains no text
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
class Description:
    """What a request asks for, as data; the embedded provider answers it instead of the messages.

    Attributes:
        sentence: the user's description of the agent.
        constraints: bounds on the sizes of the model, by name.
        document: name-keyed JSON text to patch; empty where a whole document is asked for.
        feedback: what to change in `document`: the user's words, else the findings of the checks.
        expectations: behaviour that is expected, in words.
        examples: whole documents to show, as block text.
        facts: what was found in sources, as a message of the user; empty without a search.
    """

    sentence: str = ""
    agent_type: str = "general"
    constraints: Mapping[str, int] = field(default_factory=dict)
    document: str = ""
    feedback: str = ""
    expectations: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    facts: str = ""

    def for_patch(self, document: str, findings: str) -> Description:
        """The description of the request for a patch of `document`; feedback outranks findings."""
        return replace(self, document=document, feedback=self.feedback or findings)


@dataclass(frozen=True, slots=True)
class Request:
    """One complete request to one route: equal requests share an answer in the cache.

    Attributes:
        messages: the conversation so far.
        route: name of the model group.
        parameters: LiteLLM's call arguments beside model and messages (temperature, max_tokens…).
        mode: how the answer is forced into shape.
        schema: JSON schema of the answer; sent when `mode` sends schemas.
        in_words: the schema as an instruction, added to the last message in the other modes.
        schema_name: the name the provider sees for it.
        templates: version hash of every prompt template used, by name.
        sample: number of an independent sample of the same request.
        optional: names of parameters that are left out where a deployment refuses them.
        timeout_s: most seconds one wire attempt may take; does not shape the answer.
        cache: whether the cache may answer; does not shape the answer.
        keep: how long the cache keeps the answer; does not shape the answer.
        purpose: why it is sent (``generate``, ``patch``, ``rewrite``…), for the ledger; does not
            shape the answer.
        description: what the messages ask for, as data; None where the user wrote the messages.
        grammar: the same schema with bounds, for servers that make a grammar of it; None for none.
    """

    messages: tuple[LLMMessage, ...]
    route: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    mode: OutputMode = OutputMode.PROMPT
    schema: Mapping[str, object] | None = None
    schema_name: str = ""
    in_words: str = ""
    templates: Mapping[str, str] = field(default_factory=dict)
    sample: int = 0
    optional: frozenset[str] = field(default=frozenset(), compare=False)
    timeout_s: float = 60.0
    cache: CacheMode = "use"
    keep: CachePolicy = AS_CONFIGURED
    purpose: str = ""
    description: Description | None = field(default=None, compare=False)
    grammar: Mapping[str, object] | None = field(default=None, compare=False, repr=False)

    def without(self, names: frozenset[str]) -> Request:
        """The same request without these parameters."""
        kept = {name: value for name, value in self.parameters.items() if name not in names}
        return replace(self, parameters=kept)

    @property
    def max_tokens(self) -> int | None:
        """The length limit of the answer, None where none is stated."""
        limits = (self.parameters.get(n) for n in ("max_completion_tokens", "max_tokens"))
        return next((limit for limit in limits if isinstance(limit, int)), None)


@dataclass(frozen=True, slots=True)
class WireAttempt:
    """One call on the wire and its outcome.

    Attributes:
        deployment: id of the deployment called.
        outcome: ``answered``, the name of the error, ``cancelled``, or ``unfinished``: sent, and
            its end is not recorded.
        cost_usd: None when the provider's price is not known.
        estimated: whether tokens and dollars are an estimate, because the provider did not say.
    """

    deployment: str
    provider: str
    model: str
    outcome: str
    status: int = 0
    seconds: float = 0.0
    usage: Usage = Usage()
    cost_usd: float | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request.

    Attributes:
        text: the content, empty when there is none.
        finish: why the model stopped: ``stop``, ``length`` (a loop that was stopped here too),
            ``content_filter``, ``tool_calls``; empty when the provider did not say.
        refusal: the refusal field of the model's message, empty when there is none.
        model, provider, deployment: where the answer came from.
        usage: tokens as counted by the provider.
        cost_usd: dollars when the model was called; None when the price is not known.
        billed_usd: dollars billed for this request: 0 for an answer from the cache.
        cached: whether the cache answered.
        seconds: time from the request to the whole answer.
        wire: every call made for it, in order; empty for an answer from the cache.
        context_tokens: the context window, where something else than the request's limit cut the
            answer off and the server says its window; else 0.
        citations: the sources that the text names, where it was searched for.
        search: what became of the search; status ``off`` where none was asked for.
        stopped: why it was stopped here before its end: ``loop``, it said the same over and over;
            ``deadline``; ``failure``, its server failed. Empty where it was not.
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
    context_tokens: int = 0
    citations: tuple[Citation, ...] = ()
    search: SearchReport = NOT_SEARCHED
    stopped: str = ""

    @property
    def said(self) -> str:
        """The text; where it is blank, the refusal."""
        return self.text if self.text.strip() else self.refusal or self.text

    def from_cache(self) -> Answer:
        """A copy marked as answered by the cache: billed 0, no calls on the wire."""
        return replace(self, cached=True, billed_usd=0.0, seconds=0.0, wire=())


@dataclass(frozen=True, slots=True)
class Evaluation(Generic[T_co]):
    """The result of checking one answer against a contract.

    Attributes:
        answer: the kind of the answer.
        value: the typed value, None when the answer did not parse.
        text: the value in its canonical spelling, empty when there is none.
        report: remaining findings, and local repairs.
        may_be_cut: whether the text does not show that it is whole; then only an explicit finish
            reason ``stop`` says so.
    """

    answer: AnswerKind
    value: T_co | None
    text: str
    report: Report
    may_be_cut: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether the answer fulfils its contract: it parsed and its report is accepted."""
        return self.answer == "parsed" and self.report.is_accepted

    @property
    def kind(self) -> str:
        """``accepted`` or ``faulty`` for an answer that parsed, else its `AnswerKind`."""
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
        start: where in the text the value begins; another value begins elsewhere.
    """

    value: object
    closed: tuple[str, ...]
    findings: tuple[Diagnostic, ...] = ()
    start: int = 0


class Completer(Protocol):
    """Answers requests: the Router, the cache in front of it, or a test's script."""

    async def complete(self, request: Request, context: RunContext) -> Answer:
        """Answer one request; adds its cost to `context`, whose `on_text` gets the text.

        Raises:
            LLMError: no deployment answered.
        """


@runtime_checkable
class Contract(Protocol[T]):
    """Defines a valid answer. Pure and deterministic: code evaluates answers, never a model.

    Attributes:
        name: identifier sent to providers beside the schema.
        version: changes whenever the same text could get a different evaluation.
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

    def name_keyed(self, evaluation: Evaluation[T]) -> str:
        """The value as name-keyed JSON text for a patch; empty if it cannot be patched."""

    def apply_patch(self, evaluation: Evaluation[T], patch: str) -> Evaluation[T]:
        """Apply a model's JSON Patch to the name-keyed form of `evaluation`; evaluate the result.

        A whole document in place of the patch is evaluated as what it is. A patch that does not
        parse, does not apply or changes nothing, and a part of a document, add a finding to the
        evaluation, which otherwise stays as it was.
        """

    def explain(self, evaluation: Evaluation[T]) -> str:
        """The findings as text with labels, as sent to a model."""

    def read_partial(self, text: str) -> PartialReading | None:
        """What can be read of `text`, the beginning of an answer; None while nothing can be."""


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T_co]):
    """One round of the loop: request, answer and evaluation.

    Attributes:
        purpose: ``generate``, ``patch``, ``rewrite``, ``fresh``, ``escalate`` or ``staged``.
        reason: why this call was made; empty for the first.
    """

    request: Request
    answer: Answer
    evaluation: Evaluation[T_co]
    purpose: str
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Generation(Presentation, Generic[T]):
    """A value that passed its contract, with every attempt that led to it.

    Attributes:
        spec: the typed value.
        text: its canonical spelling; `str()` returns it too.
        report: findings, repairs, and whether it runs and behaves as expected.
        attempts: every round, in order, raw answers included.
        usage: tokens over all rounds, cached answers included.
        cost_usd: dollars billed over all rounds; None when a price is not known.
        cached: whether every answer came from the cache.
        citations: the sources that were shown to the model, where it was searched for.
        search: what became of the search; status ``off`` where none was asked for.
    """

    spec: T
    text: str
    report: Report
    attempts: tuple[Attempt[T], ...]
    usage: Usage
    cost_usd: float | None
    cached: bool
    citations: tuple[Citation, ...] = ()
    search: SearchReport = NOT_SEARCHED

    @property
    def value(self) -> T:
        """The same as `spec`, for contracts other than GMN."""
        return self.spec

    @property
    def provider(self) -> str:
        """Provider of the accepted answer; ``offline`` for the embedded provider."""
        return self.attempts[-1].answer.provider if self.attempts else ""

    @property
    def model(self) -> str:
        """Model of the accepted answer."""
        return self.attempts[-1].answer.model if self.attempts else ""
