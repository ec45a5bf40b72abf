"""Templates to messages. What never changes comes first, so that providers can cache it."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jinja2

from orchestrator.gmn.formats import write_json
from orchestrator.gmn.formats.schema import as_schema_asks
from orchestrator.gmn.validate import validate
from orchestrator.types.cached import cached_property
from orchestrator.types.messages import LLMMessage, LLMRole
from orchestrator.types.requests import OutputMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.generation.state import Turns
    from orchestrator.types.requests import Request

NAMES = (
    "system", "generate", "patch", "feedback", "rewrite", "patch_again", "schema", "mend", "staged"
)  # fmt: skip
MOST_QUOTED = 6000  # characters of a rejected answer that are shown back

_FORMS: Mapping[OutputMode, str] = {
    OutputMode.JSON_SCHEMA: "Write the document in its JSON form, as the given schema asks.",
    OutputMode.TOOL_CALL: "Write the document in its JSON form, as the argument of the given tool.",
    OutputMode.JSON_OBJECT: "Write the document in its JSON form, as one JSON object; leave out"
    " fields that are not used.",
    OutputMode.PROMPT: "Write the document as block text.",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """Messages, and the version of every template they were made from."""

    messages: tuple[LLMMessage, ...]
    templates: Mapping[str, str]

    def beside(self, facts: str) -> Rendered:
        """The same with `facts` in a message of its own, before the last one."""
        if not facts:
            return self
        *before, last = self.messages
        return Rendered((*before, LLMMessage(LLMRole.USER, facts), last), self.templates)

    def with_parts(self, parts: Sequence[Mapping[str, object]]) -> Rendered:
        """The same with pictures in the last message."""
        if not parts:
            return self
        *before, last = self.messages
        return Rendered((*before, last.with_parts(parts)), self.templates)


class Prompts:
    """The templates of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # The output goes to a model, not into a page: nothing is escaped.
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(directory),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            auto_reload=False,  # one version per process: the one that the ledger names
        )
        # One message, which every question shares.
        self._system = functools.cache(
            lambda **form: LLMMessage(LLMRole.SYSTEM, self._render("system", **form))
        )

    def load(self) -> None:
        """Read every template now, so that rendering touches no disk."""
        for name in self.versions:
            self._environment.get_template(f"{name}.md.j2")

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Short digest of each template's source."""
        return {
            name: hashlib.sha256((self._directory / f"{name}.md.j2").read_bytes()).hexdigest()[:12]
            for name in NAMES
        }

    def generate(
        self,
        prompt: str,
        *,
        agent_type: str,
        mode: OutputMode,
        constraints: Mapping[str, int] | None = None,
        expectations: Sequence[str] = (),
        examples: Sequence[str] = (),
        is_short: bool = False,
    ) -> Rendered:
        """Ask for a document that does what `prompt` says.

        `examples` are whole documents in block text, shown before the request in the form that
        `mode` asks for. With `is_short` the system prompt holds only what cannot be left out.
        """
        text = self._render(
            "generate",
            prompt=defanged(prompt),
            agent_type=agent_type,
            form=_FORMS[mode],
            constraints=_listed(constraints) if constraints else "",
            expectations="; ".join(expectations),
            examples=list(map(in_form, examples, itertools.repeat(mode))),
        )
        return self._with_system("generate", text, mode, is_short=is_short)

    def feedback(
        self,
        view: str,
        feedback: str,
        *,
        constraints: Mapping[str, int] | None = None,
        expectations: Sequence[str] = (),
        is_short: bool = False,
    ) -> Rendered:
        """Ask for a patch of a good document that does what the feedback says."""
        text = self._render(
            "feedback",
            view=view,
            feedback=defanged(feedback),
            constraints=_listed(constraints) if constraints else "",
            expectations="; ".join(expectations),
        )
        # The schema of a patch says nothing of the document's form.
        return self._with_system("feedback", text, OutputMode.JSON_OBJECT, is_short=is_short)

    def staged(self, sentence: str, question: str) -> Rendered:
        """Ask one closed question about what `sentence` describes."""
        system = self._render("staged", is_system=True)
        asked = self._render(
            "staged", is_system=False, sentence=defanged(sentence), question=question
        )
        messages = (LLMMessage(LLMRole.SYSTEM, system), LLMMessage(LLMRole.USER, asked))
        return Rendered(messages, {"staged": self.versions["staged"]})

    def patch(self, first: Request, view: str, findings: str) -> Turns:
        """The first question, the document so far, and a patch asked for that removes the findings.

        The first question is repeated word by word: it holds the task, and providers have it in
        their cache.
        """
        return self._mended("patch", first, f"```json\n{view}\n```", findings)

    def rewrite(self, first: Request, answer: str, findings: str) -> Turns:
        """The first question, the answer that failed, and what was wrong with it."""
        return self._again("rewrite", first, answer, findings)

    def patch_again(self, asked: Request, answer: str, findings: str) -> Turns:
        """The question for a patch, the answer that could not be applied, and why."""
        return self._again("patch_again", asked, answer, findings)

    def _again(self, name: str, asked: Request, answer: str, findings: str) -> Turns:
        shown = answer if len(answer) <= MOST_QUOTED else f"{answer[:MOST_QUOTED]}\n[cut]"
        follow_up = self._render(name, findings=findings)
        turns = (LLMMessage(LLMRole.ASSISTANT, shown), LLMMessage(LLMRole.USER, follow_up))
        return (*asked.messages, *turns), {name: self.versions[name]}

    def schema(self, schema: Mapping[str, object]) -> str:
        """Ask for JSON after a schema, where the provider is not given it."""
        return self._render("schema", schema=json.dumps(schema, ensure_ascii=False))

    def repair(self, first: Request, view: str, findings: str) -> Turns:
        """The same for a conversation that is not about GMN."""
        return self._mended("mend", first, view, findings)

    def _mended(self, name: str, first: Request, document: str, findings: str) -> Turns:
        asked = self._render(name, findings=findings)
        turns = (LLMMessage(LLMRole.ASSISTANT, document), LLMMessage(LLMRole.USER, asked))
        return (*first.messages, *turns), {name: self.versions[name]}

    def reworded(
        self, first: Request, *, mode: OutputMode, brevity: int
    ) -> tuple[LLMMessage, ...] | None:
        """The first question as `mode` asks it: whole, without examples (1), or with the short
        system prompt too (2); None where there are no other words for it."""
        about = first.description
        if about is None:
            return None
        bounds, is_short = about.constraints, brevity > 1
        if about.document:
            rendered = self.feedback(
                about.document, about.feedback, constraints=bounds,
                expectations=about.expectations, is_short=is_short,
            )  # fmt: skip
        else:
            rendered = self.generate(
                about.sentence, agent_type=about.agent_type, mode=mode, constraints=bounds,
                expectations=about.expectations, examples=() if brevity else about.examples,
                is_short=is_short,
            )  # fmt: skip
        return rendered.beside(about.facts).with_parts(first.messages[-1].pictures).messages

    def _with_system(self, name: str, text: str, mode: OutputMode, *, is_short: bool) -> Rendered:
        """The form that `mode` asks for is described where no schema describes it."""
        system = self._system(
            is_whole=not is_short,
            is_text=mode is OutputMode.PROMPT,
            is_json=mode is OutputMode.JSON_OBJECT,
        )
        return Rendered(
            (system, LLMMessage(LLMRole.USER, text)),
            {"system": self.versions["system"], name: self.versions[name]},
        )

    def _render(self, name: str, **values: object) -> str:
        return self._environment.get_template(f"{name}.md.j2").render(**values).strip()


@functools.lru_cache(maxsize=64)
def in_form(example: str, mode: OutputMode) -> str:
    """A document in block text, in the form that an output mode asks for.

    Where a schema is sent every field of it stands in the document, as the schema wants it.
    """
    spec = None if mode is OutputMode.PROMPT else validate(example, run_steps=0).spec
    if spec is None:
        return example
    if mode.sends_schema:
        return json.dumps(as_schema_asks(spec), ensure_ascii=False, separators=(",", ":"))
    return write_json(spec, lean=True, indent=None).strip()


@dataclass(frozen=True, slots=True)
class ConversationPrompts:
    """The follow-up questions of a conversation that is not about GMN."""

    prompts: Prompts

    def patch(self, first: Request, view: str, findings: str) -> Turns:
        """See `Prompts.repair`."""
        return self.prompts.repair(first, view, findings)

    def patch_again(self, asked: Request, answer: str, findings: str) -> Turns:
        """See `Prompts.patch_again`."""
        return self.prompts.patch_again(asked, answer, findings)

    def rewrite(self, first: Request, answer: str, findings: str) -> Turns:
        """See `Prompts.rewrite`."""
        return self.prompts.rewrite(first, answer, findings)

    def reworded(self, first: Request, *, mode: OutputMode, brevity: int) -> None:
        """The user's own messages stay as they are."""


def _listed(constraints: Mapping[str, int]) -> str:
    return ", ".join(f"{key}={value}" for key, value in constraints.items())


def defanged(text: str) -> str:
    """User text that cannot close the quotation it is put into."""
    return text.replace('"""', "'''").strip()
