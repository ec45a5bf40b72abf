"""What code can check of a fact: that its quote, its number and its words are in the source."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from orchestrator.generation.search.data_block import clean

FEWEST_QUOTED, MOST_QUOTED = 10, 300  # characters

# Models write these as they like; each stands for one character, so that places stay.
_SPELLINGS = str.maketrans(
    "\n\u2018\u2019\u201a\u201b\u2032\u201c\u201d\u201e\u201f\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    " '''''" + '""""' + "-------",
)
# A number goes on as far as it is one: part of a version, a date or a range is not a number of the
# text. Groups of three may stand apart.
_DIGITS = r"(?:[0-9]{1,3}(?: [0-9]{3})+(?!\d)|[0-9]+)"
NUMBER = re.compile(
    rf"(?:(?<![\w.,:/'-])[+-]|(?<![^\W\dv])(?<!\d[.,:/'-])(?<!\d))"
    rf"{_DIGITS}(?:[.,:/'-][0-9]+)*(?:[eE][+-]?[0-9]+)?[\u00b2\u00b3\u00b9\u2070-\u2079\u207b\u00bc-\u00be]*"
)
_SENTENCE_END = re.compile(r"[.!?]\s+|[\u3002\uff01\uff1f]")
_WORD = re.compile(r"[^\W\d_]+")

_COMMANDS = (
    "add answer append browse buy call cite click comply copy delete display do don't download"
    " email embed"
    " execute exfiltrate fetch follow forget forward give ignore include insert install invoke"
    " load mention navigate never obey open output override paste please post pretend print"
    " quote recommend remember repeat reply respond return reveal run say send subscribe summarize"
    " tell transfer translate trust upload use visit warn write"
).replace(" ", "|")
# Verbs of speaking, which order something wherever they stand with a capital letter or after "and".
_SAY = (
    "answer|cite|disregard|forget|ignore|obey|output|pretend|print|repeat|reply|respond|say"
    "|antworte|ignoriere|vergiss|r[e\u00e9]ponds|[i\u00ed]gnora|oublie|olvida|responde|rispondi"
)
_ORDERED = re.compile(rf"(?<=\S )(?:(?-i:(?=[A-Z]))|(?:and|then|und|et|y|e) )(?:{_SAY})\b", re.I)
# Forms of speaking to somebody in other languages, without accents: a start of a sentence, then
# what is an order wherever it stands.
_STARTS = (
    r"(?:antworte|schreib|nenne|empfiehl|empfehle|sage?|gib|verwende|nutze|klicke?|offne|besuche|rufe?"
    r"|sende|befolge|beachte|reponds|ecris|recommande|utilise|clique|oublie|cite|suis|\w{3,}ez"
    r"|respond[ea]|escrib[ea]|recomiend[ea]|utilic[ea]|us[ea]|sig[ua]e?|di|haz|haga|cit[ea]"
    r"|rispondi|scrivi|consiglia|usa|segui|clicca|rispondete|escreva|recomende|siga|clique"
    r"|antwoord|schrijf|gebruik|negeer|volg)\b"
)
_ORDERS = (
    r"\b(?:antworten|schreiben|nennen|empfehlen|sagen|geben|verwenden|nutzen|klicken|besuchen|rufen"
    r"|senden|befolgen|beachten|ignorieren) sie (?!haben|hat|ist|sind)"
    r"|\bdu (?:musst|sollst|kannst|darfst|bist)\b|\b(?:dich|deine?[mnrs]?)\b"
    r"|\b(?:vous|votre|vos|tu dois|usted|debes|deberas|tienes que|devi|dovete|voce|je moet)\b"
    r"|\u4f60|\u60a8|\u5fc5\u987b|\u56de\u7b54|\u7b54\u3048|\u304f\u3060\u3055\u3044|\u3042\u306a\u305f"
    r"|\b(?:\u0442\u044b|\u0432\u044b|\u0432\u0430\u0448\w*|\u0442\u0432\u043e\w+|\u043e\u0442\u0432\u0435\u0442\w*)\b"
    r"|\ub2f9\uc2e0|\ud558\uc138\uc694|\ub2f5\ud558|\u0623\u0646\u062a|\u062a\u062c\u0627\u0647\u0644|\u0623\u062c\u0628"
)
# A fact does not speak of the answer, of what reads it, or of the sources beside it.
_OF_THE_ANSWER = (
    r"\b(?:assistants?|chatbots?|llms?|ais?|bots?|readers?|(?:language|any|this) models?)"
    r" (?:must|shall|should|ha(?:s|ve) to|(?:is|are) required|reading|reads?|that reads?)\b"
    r"|\bdear (?:assistant|model|reader|ai|bot)\b"
    r"|\b(?:right|correct|only|every|each|proper|final) (?:answers?|response|reply)\b"
    r"|\b(?:answer|respond|reply)(?:s|ing)? (?:\w+ )?(?:with|to (?:every|any|all))\b"
    r"|\b(?:all|any|no) other sources?\b|\bsource [0-9]"
)
# A fact is not said to somebody.
_SPEAKS = re.compile(
    r"\b(?:you|your|yours|yourself)\b"
    rf"|(?:^|[.!?:;] |\b(?:now|please|kindly|must|should|shall|always|never) )(?:{_COMMANDS})\b"
    rf"|(?:^|[.!?:;] |\bbitte )(?!chez\b|assez\b){_STARTS}|{_ORDERS}|{_OF_THE_ANSWER}"
    r"|\b(?:ignor|disregard|forget|overrid|bypass|obey|comply|reveal)\w*\b.{0,60}"
    r"\b(?:instruct|prompt|system|rule|guideline|message|order|above|previous|prior|command|polic)"
    r"|\b(?:system|assistant|user|developer|human|ai|tool)(?: message| note| prompt| update)?\s*:"
    r"|\b(?:this is|i am|i'm) (?:the|your) (?:developer|system|user|admin\w*|operator|owner)\b"
    r"|\b(?:system prompt|developer mode|jailbr\w+|prompt injection|(?:tool|function)[ -]?calls?)\b"
    r"|ignorier|vergiss|missacht|ignorez|oubliez|\bignora\b|\bolvida"
    r"|\u0438\u0433\u043d\u043e\u0440\u0438\u0440|\u0437\u0430\u0431\u0443\u0434\u044c"  # Russian
    r"|\u5ffd\u7565|\u7121\u8996|\u65e0\u89c6|\u5fd8\u8bb0|\u5fd8\u308c|\ubb34\uc2dc"  # East Asian
)
_UNFIT = re.compile(
    # A tag, a bracket that cites nothing, a border of our own, what addresses escape.
    r"\u2039\W?[a-z!]|[a-z/]\u203a|\uff3b(?!\d{1,3}(?:[,;\u2013-] ?\d{1,3}){0,9}\uff3d)"
    r"|\b(?:begin|end) (?:sources|facts)\b|%[2-5][0-9a-f](?![0-9])"
    r"|://|\bwww\.|\S@\S|[`{}\\*_=]|##|~~|\bdot \w+ slash\b|[a-z0-9+/]{32,}|(?:\b\w\b[ .-]){5,}"
    r"|[a-z]\.[a-z]{2,}/|\w\."
    r"(?:com|net|org|io|ai|dev|app|info|biz|xyz|top|site|online|link|click|ru|cn|cc)\b"
)


def why_unfit(text: str) -> str:
    """Why words of a page are not shown to the answering model; empty where they may be."""
    bare = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    plain = unicodedata.normalize("NFC", "".join(bare)).casefold().translate(_SPELLINGS)
    if _UNFIT.search(plain):
        return "holds an address, code or a cipher"
    if any(len(word) > 3 and len(_scripts(word)) > 1 for word in _WORD.findall(plain)):
        return "mixes alphabets in a word"
    return "speaks to its reader" if _SPEAKS.search(plain) or _ORDERED.search(text) else ""


def _scripts(word: str) -> set[str]:
    names = (unicodedata.name(letter, "").partition(" ")[0] for letter in word)
    return {
        name for name in names if name in ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
    }


def found_quote(quote: str, text: str) -> str:
    """The words of `text`, which is clean, that a model quotes; empty where it does not say them.

    Blanks, quotation marks and dashes may be spelled otherwise, nothing else. The quote begins and
    ends with whole words and whole numbers.
    """
    wanted = " ".join(clean(quote).split()).translate(_SPELLINGS).strip('" ')
    if not FEWEST_QUOTED <= len(wanted) <= MOST_QUOTED:
        return ""
    spelled = text.translate(_SPELLINGS)
    # Cut out of its text, a dash would be a minus and a part of a number a number.
    stated, numbers = ([found.span() for found in NUMBER.finditer(s)] for s in (wanted, spelled))
    at = spelled.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        touched = [(a - at, b - at) for a, b in numbers if a < end and at < b]
        if touched == stated and not any(_is_inside_word(spelled, edge) for edge in (at, end)):
            return " ".join(text[at:end].split())
        at = spelled.find(wanted, at + 1)
    return ""


def sentences_around(quote: str, text: str) -> str:
    """The whole sentences of `text` that a quote of it, as `found_quote` gives it, stands in."""
    plain = " ".join(text.split())
    at = max(plain.find(quote), 0)
    starts = [0, *(end.end() for end in _SENTENCE_END.finditer(plain, 0, at))]
    after = _SENTENCE_END.search(plain, at + len(quote) - 1)
    return plain[starts[-1] : after.end() if after else len(plain)]


def _is_inside_word(text: str, edge: int) -> bool:
    return 0 < edge < len(text) and bool(re.fullmatch(r"[^\W_]{2}", text[edge - 1 : edge + 1]))


def numbers_in(text: str) -> list[str]:
    """The numbers of a text, as it spells them."""
    return NUMBER.findall(text.translate(_SPELLINGS))


def found_number(value: str, quote: str) -> str:
    """The number of `quote` that `value` is, as the quote spells it; empty where it has none."""
    stated = numbers_in(value)
    if len(stated) != 1 or not words_in(value) <= words_in(quote):
        return ""
    return next((one for one in numbers_in(quote) if is_same_number(one, stated[0])), "")


def is_same_number(one: str, other: str) -> bool:
    """Whether two spellings are of one number, exactly: 1,234.50 is 1234.5."""
    return one == other or not _readings(one).isdisjoint(_readings(other))


def _readings(number: str) -> set[Decimal | str]:
    """What a number may mean: 1,234 is a thousand and some in one country, 1.234 in another."""
    plain = re.sub(r"(?<=\d)[ '](?=\d{3}(?!\d))", "", number)
    if not re.fullmatch(r"[+-]?\d+(?:[.,]\d+)*", plain):
        return {number}
    meant: set[Decimal | str] = set()
    for group, point in (",.", ".,"):
        whole, has_point, fraction = plain.partition(point)
        grouped = re.escape(group)
        is_written_so = re.fullmatch(rf"[+-]?(?:\d+|[1-9]\d{{0,2}}(?:{grouped}\d{{3}})+)", whole)
        if is_written_so and (not has_point or fraction.isdigit()):
            meant.add(Decimal(whole.replace(group, "") + (f".{fraction}" if has_point else "")))
    return meant or {number}


def words_in(text: str) -> set[str]:
    """The words of a text, for comparing."""
    return set(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def has_unit(unit: str, quote: str) -> bool:
    """Whether a quote names a unit, in whole words."""
    return bool(re.search(rf"(?<![^\W\d_]){re.escape(unit)}(?![^\W\d_])", quote))
