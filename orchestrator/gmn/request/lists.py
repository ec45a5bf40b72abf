"""Names in a sentence: lists after a head, ranges, quoted names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.gmn.request.phrases import phrase
from orchestrator.gmn.request.ranges import noun_range_at, range_at
from orchestrator.gmn.request.scan import ARTICLES, BOUNDARIES, PARTICLES
from orchestrator.gmn.request.tokens import number, words, words_of

if TYPE_CHECKING:
    from orchestrator.gmn.request.commitment import Kind
    from orchestrator.gmn.request.scan import Scan

_STATES = words("state states condition conditions situation situations phases modes")
_OBSERVATIONS = words(
    "observation observations signal signals reading readings cue cues symptom symptoms percept"
    " percepts observe observes sees hears reads senses says shows displays smells feels notices"
    " perceives looks look seems appears sounds"
)
_ACTIONS = words(
    "action actions move moves choice choices decision decisions chooses choose choosing choices"
    " picks pick decides decide selects select switches command commands"
)
#: What a noun says the list after it is of.
_NOUNS: dict[str, Kind] = {
    **dict.fromkeys(_STATES, "states"),
    **dict.fromkeys(_OBSERVATIONS, "observations"),
    **dict.fromkeys(_ACTIONS, "actions"),
}
_MODALS = words("can could may might able")
_SUBJECTS = words("he she it they who which that agent")
_SPEAKERS = words("i we you they")  # their verbs have no s
_BE = words("is am are be being was were becomes become stays gets")
_ONE_OF = words("of named called either each whether between")
_DASHES = frozenset(("-", "\u2013", "\u2014"))
_SAYING = words(": = are named called include includes") | _DASHES
_LINKS = _SAYING | words(
    "> is comprise either between among from to one of as whether being be its the"
)
_OPENING = frozenset("([{")
_PRONOUNS = words("them these those us its")
_ARE_NO_NAMES = words("it he she they we you i")  # ``a command fails and it stays``
_TRAILING = words("it them one him her itself")
_PUTS, _INTO = words("put place drop throw file toss"), words("in into on onto")
_REACHES = words("ranges range runs extends numbered reaches")
_WAY = "(?:up|down|left|right|forwards?|backwards?|back|north|south|east|west)"
_WAYS_TO_GO = phrase(
    "(?:(?P<goes>moves?|go|goes|steps|drives|walks|runs|jumps|flies|travels) )?"
    f"(?P<ways>{_WAY}(?: (?:, (?:or|and)|,|or|and|/) (?:{_WAY}|stay|wait))+)"
    r"(?P<unit> #1 \S+)?"
)
_SCALES = words("levels stages values positions classes rooms zones places")  # ``levels are a, b``
_JOINTS = {"&": "and"} | {word: word for word in (",", "and", "or", "|", "/", "nor")}
_WISHING = words("goal avoid start begin want keep reach aim prefer target never")
_SIDES = words("rows columns")  # ``(4 rows, 6 columns)``
_NOT_NAMES = words("next nothing reward penalty")  # ``heat: next stage, always``
_BULLETS = words("\u2022 * -")
_SKIPPED = ARTICLES | _BULLETS | words("to either just simply") | {"\n"}
_PLACING = words("in at on")
_CLOSING = frozenset(".,;:!?()[]{}\n|/") | {"", "and", "or"} | _DASHES
_MOST_SKIPPED = 4
_MOST_BRACKETED = 8
_MOST_OBJECT = 4
_OBJECTS = words("to in into on onto up at with off out from over through for")
_MOST_ITEMS, _MOST_BARE = 256, 64  # names of a list, where it is announced and where it is not


class Listed(NamedTuple):
    """A list of names in tokens up to before `after`.

    `longest` is the number of words of its longest name, `joint` the sign or word that joins it.
    """

    names: tuple[str, ...]
    after: int
    longest: int
    joint: str


def read_lists(scan: Scan) -> None:
    """Record the lists, then the quoted names that stand alone."""
    for at, word in scan.walk():
        if not scan.taken[at]:
            _ = _after_noun(scan, at, word) or _after_verb(scan, at, word)
    _read_ways(scan)
    for at, word in scan.walk():
        if not scan.taken[at] and word not in BOUNDARIES:
            _ = _of_plural(scan, at, word) or _numbered(scan, at) or _bare(scan, at)
    scan.bracketed.clear()
    for at, token in enumerate(scan.tokens):
        if token.is_quoted and not scan.taken[at]:
            scan.add("named", token.text, at, at + 1, "quoted name")


def _after_noun(scan: Scan, at: int, word: str) -> bool:
    """``states: a, b``, ``observations are a, b``, ``decides to a or b``, ``levels (a, b)``."""
    kind = _NOUNS.get(word)
    begin, is_said = at + 1, False
    while scan.low(begin) in _LINKS and begin - at < 5 and not range_at(scan, begin):
        is_said |= scan.low(begin) in _SAYING
        begin += 1
    if scan.low(begin) in _OPENING and begin not in scan.places:
        is_said, begin = True, begin + 1
    is_colon = scan.low(at + 1) in (":", "=") or scan.low(at + 1) in _OPENING
    is_dash = scan.low(at + 1) in _DASHES
    is_colon |= is_dash and scan.low(at + 3) == ","
    if kind is None and not (is_colon and _is_plain_head(scan, at, begin)):
        return False
    if word in ("move", "moves") and not is_said:
        return False
    listed = _listed(scan, begin, is_said=is_said)
    if listed is None or (kind is None and (listed.longest > 2 or begin in scan.places)):
        return False
    if is_dash and not (kind or (scan.clause(at)[1] == listed.after and len(listed.names) > 2)):
        return False  # ``bath water - cold, warm, hot``
    said = {name.casefold().rpartition(" ")[2] for name in listed.names} & _SIDES
    if kind is None and (said or listed.names[0].partition(" ")[0].casefold() in _NOT_NAMES):
        return False
    scan.add(kind or "options", listed.names, at, listed.after, "list after a noun")
    return True


def _is_plain_head(scan: Scan, at: int, begin: int) -> bool:
    is_article = scan.low(begin) in ARTICLES and scan.low(begin + 1) not in _CLOSING
    is_named = scan.low(begin) in _NOUNS or is_article
    is_named |= scan.low(at + 2) in _BE  # ``Geology: is the rock wet, dry or frozen?``
    return scan.tokens[at].is_word and not is_named


def _after_verb(scan: Scan, at: int, word: str) -> bool:
    """``can a, b or c``, ``is a, b or c``, ``one of a, b``, ``either a or b``, ``it as or bs``."""
    kind = _kind_of_verb(scan, at, word)
    if kind is None:
        return False
    if word == "it" and scan.low(at - 1) in _PUTS and scan.low(at + 1) in _INTO:
        return _put(scan, at)
    at += kind == "states" and word in _MODALS  # ``can be off, low or high``
    begin = at + 1 + (scan.low(at + 1) == "to")
    is_whole = word in _MODALS or (word in _BE and scan.low(begin) not in ARTICLES)
    listed = _listed(scan, begin, is_said=False, keeps_first=is_whole)
    if listed is None or not listed.joint:
        return word in ("named", "called") and _one_named(scan, at)
    if word == "between" and len(listed.names) < 3:
        return False
    has_verbs = all(name.split()[0].endswith("s") for name in listed.names)
    if (
        word not in _ONE_OF
        and listed.joint == "and"
        and (word not in _MODALS or len(listed.names) < 3)
    ):
        return False
    if word in _BE and listed.joint == ",":
        return False
    has_verbs |= word in _SPEAKERS and scan.low(at + 2) == ","  # ``we fold, call or raise``
    if word in _SUBJECTS | _SPEAKERS and not has_verbs:
        return False
    if word == "either" and has_verbs:
        kind = "actions"
    scan.add(kind, listed.names, at - (word == "of"), listed.after, "list after a verb")
    return True


def _put(scan: Scan, at: int) -> bool:
    """``put it in bin L or bin F``: one action for each."""
    listed = _listed(scan, at + 2, is_said=False, keeps_first=True)
    if listed is None or listed.joint != "or":
        return False
    names = tuple(f"{scan.low(at - 1)} {scan.low(at + 1)} {name}" for name in listed.names)
    scan.add("actions", names, at - 1, listed.after, "list after a verb")
    return True


def _kind_of_verb(scan: Scan, at: int, word: str) -> Kind | None:
    if word in _MODALS | _SUBJECTS | _SPEAKERS:
        is_be = scan.low(at + 1) == "be"
        return ("states" if word in _MODALS else None) if is_be else "actions"
    if word in _BE:
        return "states"
    if word == "of":
        then = scan.tokens[at + 1].low if at + 1 < len(scan.tokens) else ""
        is_count = number(then) is not None and scan.low(at + 2) not in _CLOSING
        is_one = scan.low(at - 1) == "one" and then not in _PRONOUNS and not is_count
        return "options" if is_one else None
    return "options" if word in _ONE_OF else None


def _one_named(scan: Scan, at: int) -> bool:
    end = scan.name_at(at + 1, most=1)
    if end == at + 1 or scan.tokens[at + 1].low in ARTICLES:
        return False
    scan.add("named", scan.tokens[at + 1].text, at, end, "named")
    return True


def _of_plural(scan: Scan, at: int, word: str) -> bool:
    """``zones north, south and east``, ``shelves A and B``, ``two rooms, a hall and a den``."""
    if not word.endswith("s") or len(word) < 4:
        return False
    count = number(scan.low(at - 1)) if scan.low(at + 1) == "," else None
    is_said = scan.low(at + 1) in _DASHES or (scan.low(at + 1) == "are" and word in _SCALES)
    begin = at + 1 + (is_said or count is not None)
    listed = _listed(scan, begin, is_said=begin > at + 1)
    if listed is None or not listed.joint or not scan.is_free(at, listed.after):
        return False
    is_named = scan.tokens[begin].is_quoted or listed.joint == "range"
    is_named = is_named or all(name[:1].isupper() for name in listed.names)
    is_named |= count == len(listed.names)
    is_other = count not in (None, len(listed.names))
    if is_other or len(listed.names) < (2 if is_named else 3) or listed.longest > 2:
        return False
    scan.add("options", listed.names, at, listed.after, "names of a plural")
    return True


def _numbered(scan: Scan, at: int) -> bool:
    """``house 1 to house 8``, but not as a journey from the one to the other."""
    is_journey = scan.low(at - 1) == "from" and scan.low(at - 2) not in _REACHES
    found = None if is_journey else noun_range_at(scan, at)
    is_said = found is not None and scan.is_free(at, found[1]) and _ends(scan, found[1])
    if found and is_said:
        scan.add("options", found[0], at, found[1], "names of a plural")
    return is_said


def _ends(scan: Scan, at: int) -> bool:
    """Whether a range is over here: ``10 to 20 crates`` are how many there are."""
    return scan.low(at) in _CLOSING | BOUNDARIES


def _read_ways(scan: Scan) -> None:
    """``moves up or down``, ``…, up, down or stay, …``: where it goes is what it can do."""
    for match, first, _, after in scan.phrases(_WAYS_TO_GO):
        is_apart = scan.low(first - 1) in _CLOSING - {"and", "or"} and scan.low(after) in _CLOSING
        is_choice = is_apart and scan.low(after - 2) in ("or", "/") and not match["unit"]
        if is_choice or match["goes"]:
            names = [w for w in match["ways"].split() if w not in _JOINTS]
            scan.add("actions", tuple(names), first, after, "directions")


def _bare(scan: Scan, at: int) -> bool:
    """``left, middle or right``; ``meadow A, meadow B and meadow C``; ``spray or wait``."""
    if scan.low(at - 1 - (scan.low(at - 1) in _BULLETS)) in (",", "|", "/"):
        return False  # it was read from its first name
    is_alike = scan.low(at + 2) == "," and scan.low(at + 3) == scan.low(at) != ""
    is_joined = is_alike or scan.low(at + 1) in (",", "|", "/")
    is_first = at == scan.clause(at)[0] and scan.low(at) not in ARTICLES
    is_first &= number(scan.low(at)) is None
    if not (is_joined or is_first):
        return False
    listed = _listed(scan, at, is_said=False, keeps_first=is_first)
    is_short = listed and listed.joint not in ("/", "|") and len(listed.names[0].split()) < 3
    if is_first and listed and not (is_short and listed.after == scan.clause(at)[1]):
        listed = _listed(scan, at, is_said=False) if is_joined else None
    if listed is None or not scan.is_free(at, listed.after):
        return False
    is_clause = (at, listed.after) == scan.clause(at) and listed.longest < 4  # ``push, pull``
    is_choice = is_first and is_clause and listed.joint == "or" and listed.longest < 3
    if len(listed.names) < (2 if is_choice else 3):
        return False
    is_alike = is_alike and len({name.split()[0].casefold() for name in listed.names}) == 1
    if listed.joint not in ("or", "|", "/") and not is_alike and not is_clause:
        return False
    names, before = listed.names, scan.low(at - 1)
    heads = {name.split()[0].casefold() for name in names if " " in name.strip()}
    if not heads.isdisjoint(_SCALES | _WISHING):
        return False  # ``sleep lab, stages wake, light and deep``
    if before and any(name.casefold().startswith(f"{before} ") for name in names[1:]):
        at, names = at - 1, (f"{scan.tokens[at - 1].text} {names[0]}", *names[1:])  # too low / …
    scan.add("options", names, at, listed.after, "bare list")
    return True


def _listed(scan: Scan, at: int, *, is_said: bool, keeps_first: bool = False) -> Listed | None:
    """The names from token `at` on; None for fewer than two.

    `is_said` says that a list was announced; of others the first name loses what stands before
    it, unless `keeps_first`, and the last one what follows it.
    """
    if names := range_at(scan, at):
        return Listed(names[0], names[1], 1, "range") if _ends(scan, names[1]) else None
    items: list[tuple[int, int]] = []
    joint, last, before = "", at, (0, "")
    while len(items) < (_MOST_ITEMS if is_said else _MOST_BARE):
        begin = _skipped(scan, at)
        end = _item(scan, begin, is_said=is_said, is_last=joint in ("and", "or"))
        if end == begin:
            break
        if keeps_first and joint not in ("and", "or"):
            end = _with_object(scan, end)
        if not is_said and joint in ("and", "or") and scan.low(end) not in _CLOSING:
            end = min(end, begin + max(e - b for b, e in items))
        if joint == "," and scan.low(end) in ("/", "|"):
            items = []  # what stands before is the head: ``three values, a / b / c``
        items.append((begin, end))
        last = end
        end = _after_brackets(scan, end)
        step, sign = _separator(scan, end, is_said=is_said)
        if before == (1, ",") and scan.low(end) == "\n":
            break  # the next line of a list of lists: ``- actions: a, b``
        if not step or (joint in ("and", "or") and (step, sign) != before):
            break
        joint, before = sign, (step, sign)
        at = end + step
    return _made(scan, items, last, joint, keeps_first=keeps_first or is_said)


def _with_object(scan: Scan, at: int) -> int:
    """The end of ``hold it to the light``, where another thing that can be done follows."""
    words_after = range(at, min(at + _MOST_OBJECT, len(scan.tokens)))
    end = next((n for n in words_after if not scan.tokens[n].is_word or scan.low(n) == "or"), at)
    is_joined = end > at and scan.low(end) in (",", "or", "(") and end not in scan.places
    return end if is_joined and scan.low(at) in _OBJECTS else at


def _after_brackets(scan: Scan, at: int) -> int:
    """The token after ``(90% reliable)``, which is said of the name before it."""
    if scan.low(at) != "(" or at in scan.places:
        return at
    closing = range(at + 2, min(at + _MOST_BRACKETED, len(scan.tokens)))
    after = next((n + 1 for n in closing if scan.low(n) == ")"), at)
    scan.bracketed.update(range(at, after))
    return after


def _skipped(scan: Scan, at: int) -> int:
    for _ in range(_MOST_SKIPPED):
        word, then = scan.low(at), scan.low(at + 1)
        is_name = then in _CLOSING if word in ARTICLES else word == "just" and then == "right"
        is_place = word in _PLACING and then not in _CLOSING
        if is_name or not (word in _SKIPPED or is_place):
            break
        at += 1
    return at


def _item(scan: Scan, begin: int, *, is_said: bool, is_last: bool) -> int:
    """The token after the name that begins at `begin`; `begin` where there is none."""
    end = scan.name_at(begin, most=4)
    place = scan.places.get(begin)
    is_head = scan.low(end) in ("=", "%", "per", "percent") or (
        scan.low(end) == ":" and (not is_last or scan.low(end - 1) in _NOUNS)
    )
    if is_head or (place and place.after > begin + is_said):
        return begin
    is_short = end == begin < len(scan.tokens) and scan.tokens[begin].is_word
    if (
        is_short
        and (is_said or scan.low(begin - 1) in _BE or (is_last and scan.low(begin) in PARTICLES))
        and scan.low(begin + 1) in _CLOSING
        and scan.low(begin) != "and"
    ):
        return begin + 1  # a preposition that is a name: ``rods: in, half, out``
    return end


def _made(
    scan: Scan, items: list[tuple[int, int]], last: int, joint: str, *, keeps_first: bool
) -> Listed | None:
    is_headed = bool(items) and scan.low(items[0][0]).endswith("s")  # ``hands weak, strong``
    cuts = not keeps_first or (is_headed and scan.low(items[0][0] - 1) == ":")
    if len(items) > 1 and cuts and max(e - b for b, e in items[1:]) == 1:
        items[0] = (items[0][1] - 1, items[0][1])
    longest = max((e - b for b, e in items), default=0)
    names = []
    for begin, end in items:
        is_trailed = end - begin > 1 and scan.low(end - 1) in _TRAILING
        names.append(words_of(scan.tokens[begin : end - is_trailed]))
    head, _, first = names[0].rpartition(" ") if names else ("", "", "")
    if head and all(name.isdigit() for name in (first, *names[1:])):
        names = [f"{head} {number}" for number in (first, *names[1:])]  # ``floor 0, 1 or 2``
    names = list(dict.fromkeys(names))
    are_names = _ARE_NO_NAMES.isdisjoint(names) and not all("." in name for name in names)
    is_list = len(names) > 1 and are_names and longest < 4 + 2 * keeps_first
    return Listed(tuple(names), last, longest, joint) if is_list else None


def _separator(scan: Scan, at: int, *, is_said: bool) -> tuple[int, str]:
    """How many tokens separate two names here, and by what; 0 where the list ends."""
    word, then = scan.low(at), scan.low(at + 1)
    if word == "," and then in ("and", "or", "&"):
        return 2, _JOINTS[then]
    if word == "\n" and is_said and then in _BULLETS:
        return 2, ","
    return (1, _JOINTS[word]) if word in _JOINTS else (0, "")
