"""What a search engine is asked: the request in a few words, without what is nobody's business."""

from __future__ import annotations

import re

from orchestrator.types.pattern import pattern
from orchestrator.types.visible import HIDDEN

#: Characters of a request that are looked at, and of a query.
MOST_READ, MOST_ASKED = 2_000, 160
_PARAGRAPH = 400  # characters; a longer one beside others is a document, not a question

_FENCED = pattern(
    r"```.*?(?:```|\Z)|\"\"\".*?(?:\"\"\"|\Z)|<(document|text|file)\b.*?(?:</\1>|\Z)", re.S
)
_PASTED = pattern(r"^(?:>|\|| {4}|\t).*$", re.M)
#: What is private, or is not a word: addresses, keys, long numbers, passwords.
_PRIVATE = pattern(
    r"(?<![\w.+@-])(?=[\w.+@-]*?\w[.+-]*+@[\w-])[\w.+@-]*[\w-]"
    r"|\b\w+://\S+"
    r"|\b(?:(?:api|access|secret)[ _-]?key|passw\w*|pwd|token|secret|bearer|authori[sz]ation|pin)\b"
    r"\s*+(?:is|:|=)*\s*+\S+"
    r"|\b(?:sk|pk|ghp|gho|xox[abp]|AKIA|AIza)[-_]?\w[\w-]{6,}"
    r"|(?<![\w+/=-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{20,}"
    r"|(?<![\w-])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,}(?: ?\w{1,4})?"
    r"|\+?\(?\d(?:[ ()./-]{0,2}\d){6,}",
    re.I,
)
_DATE = pattern(r"\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4}|(?:\d{4}\s?[-/]\s?)?\d{4}")
_LEAD = pattern(
    r"(?:please|hi|hello|hey|(?:can|could|would) you|tell me|i(?:'d| would) (?:like|want) to know"
    r"|i (?:want|need) to know|do you know|find(?: me| out)?|show me|give me|look up|google"
    r"|search(?: the web| online)?(?: for)?|bitte|por favor|s'il (?:te|vous) plaît|,)\s+",
    re.I,
)
_CLAUSE = pattern(
    r"[.;:!?\n]|, |\b(?:that|who|which|whose|whether|and|with|dass|die|que|qui)\b", re.I
)
_OF_AGENT = pattern(
    r"(?:an?|the|ein(?:e|en)?|une?|una)\s+(?:\w+\s+)?(?:agent|trader|explorer|coordinator|model|robot)\w*\s*",
    re.I,
)


def request_part(text: str) -> str:
    """What is asked, without the documents, code and quotations that were pasted beside it."""
    own = _PASTED.sub("", _FENCED.sub("\n\n", text))
    paragraphs = [one.strip() for one in re.split(r"\n\s*\n", own) if one.strip()]
    asked = [one for one in paragraphs if len(one) <= _PARAGRAPH]
    if len(asked) > 2:  # the question stands at the beginning or at the end
        asked = [one for one in asked if "?" in one] or [asked[0], asked[-1]]
        asked = [asked[0], asked[-1]] if len(asked) > 1 else asked
    return "\n".join(asked or paragraphs[:1])[:MOST_READ]


def without_private(text: str) -> str:
    """A text without addresses, keys, passwords and long numbers; dates stay."""
    for _ in range(2):  # what one leaves of a longer piece begins with a space for the next
        text = _PRIVATE.sub(lambda found: found[0] if _DATE.fullmatch(found[0]) else " ", text)
    return text


def query_of(text: str, *, about: str = "") -> str:
    """The query for a request: its question, at most `MOST_ASKED` characters; empty where nothing
    is left that may be sent.

    `about` are words of the request around which the query is cut, for descriptions of agents,
    which say far more than what is looked for.
    """
    asked = request_part(text)
    if about and about in asked:
        asked = _clause(asked, asked.index(about), len(about))
    asked = _OF_AGENT.sub("", asked, count=1) if _OF_AGENT.match(asked) else asked
    asked = re.sub(f"[{HIDDEN}]", " ", asked)
    plain = re.sub(r"[\"“”„«»`<>{}\[\]|\\]", " ", without_private(asked))
    # With these engines choose another site or language: "!!g words" is sent on to Google.
    words = " ".join(re.sub(r"(?<!\S)[!:?]+(?=\w)", "", plain).split())
    while lead := _LEAD.match(words):
        words = words[lead.end() :]
    words = words.strip(" ?!.,;:…-")
    if len(words) > MOST_ASKED:
        words = words[: MOST_ASKED + 1].rsplit(" ", 1)[0][:MOST_ASKED]
    return words if re.search(r"\w", words) else ""


def _clause(text: str, start: int, length: int) -> str:
    """The clause that holds a place of a text."""
    cuts = [0, *(m.end() for m in _CLAUSE.finditer(text, 0, start))]
    after = _CLAUSE.search(text, start + length)
    return text[cuts[-1] : after.start() if after else len(text)]
