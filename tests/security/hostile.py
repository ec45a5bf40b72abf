"""Every pattern of the package, and texts that are hostile to it, made from the pattern itself."""

from __future__ import annotations

import ast
import importlib
import itertools
import operator
import re
import time
from collections import defaultdict
from functools import cache, partial
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]  # typeshed does not know it
from re import _parser  # type: ignore[attr-defined, unused-ignore]
from typing import TYPE_CHECKING, Any, NamedTuple

import orchestrator
from orchestrator.types.pattern import _Uncompiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

_SEARCHING = {"search", "finditer", "findall", "sub", "subn", "split"}
_METHODS = {*_SEARCHING, "match", "fullmatch"}
_USES_PATTERNS = re.compile(
    rf"^import re$|^from re |import pattern$|\.(?:{'|'.join(_METHODS)})\(|Scanner", re.M
)
_ENDS = ("\x00", "\n!")
#: What a text is made of that no pattern in particular is feared to be weak against.
GENERAL = (
    " ", "\t", "\n", "a", "1", "_", "-", ".", ",", "|", "{", "[", "(", '"', "'", "\\", '\\"', "`",
    "```\n", "~~~\n", "<think>", "</think>", "&quot;", "\u201c", "/*", "//", "#", "@(", "a=b ",
    "a|", "{}", "[{", '{"a":', '"""', "0.", "1/", "a: b\n", "node state x {", "<|channel|>",
)  # fmt: skip


class Pattern(NamedTuple):
    """One pattern, where it stands, and by which of its methods it is used."""

    where: str
    compiled: re.Pattern[str]
    methods: frozenset[str]

    def run(self, text: str) -> object:
        """Use it as the program does: from every place of a text, or from its beginning."""
        if not _SEARCHING.isdisjoint(self.methods):
            return len(self.compiled.findall(text))
        return [getattr(self.compiled, method)(text) for method in self.methods]


def trees() -> Iterator[tuple[ModuleType, ast.Module]]:
    """Every module of the package that has a pattern, or uses one, with its source."""
    root = Path(str(orchestrator.__file__)).parent
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if _USES_PATTERNS.search(text) and path.name != "pattern.py":
            steps = path.relative_to(root.parent).with_suffix("").parts
            yield importlib.import_module(".".join(steps)), ast.parse(text)


def is_of_re(node: ast.AST) -> bool:
    """Whether a node is a call such as ``re.search(…)`` or ``pattern(…)`` with a pattern."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "pattern"  # `types.pattern`, which compiles at the first use
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in {*_METHODS, "compile"}
    )


def compiled_of(value: object) -> re.Pattern[str] | None:
    """A pattern, also one that is compiled at its first use."""
    if isinstance(value, _Uncompiled):
        return re.compile(*value._given)
    return value if isinstance(value, re.Pattern) else None


def patterns() -> tuple[list[Pattern], list[str]]:
    """The patterns that are known before the program runs, and where others are made."""
    found: dict[re.Pattern[str], Pattern] = {}
    made_later: list[str] = []
    uses: dict[re.Pattern[str], set[str]] = defaultdict(set)
    calls: list[tuple[ModuleType, ast.Call]] = []
    for module, tree in trees():
        known = vars(module)
        for node in ast.walk(tree):
            if is_of_re(node):
                calls.append((module, node))  # type: ignore[arg-type]
            elif isinstance(node, ast.Attribute):
                owner = compiled_of(known.get(getattr(node.value, "id", "")))
                if owner is not None:
                    uses[owner].add(node.attr)
    for module, call in calls:
        where = f"{module.__name__}:{call.lineno}"
        try:
            compiled = _evaluated(call, module)
        except NameError:
            made_later.append(f"{module.__name__}: {ast.unparse(call.args[0])}")
            continue
        method = getattr(call.func, "attr", "compile")
        used = uses[compiled] & _METHODS or _SEARCHING
        methods = frozenset(used if method == "compile" else {method})
        before = found.get(compiled)
        methods |= before.methods if before else frozenset()
        found[compiled] = Pattern(where, compiled, methods)
    return list(found.values()), made_later


def _evaluated(call: ast.Call, module: ModuleType) -> re.Pattern[str]:
    """The pattern of a call, from what its module has; NameError where a variable shapes it."""
    words = call.args[0]
    at = {"compile": 1, "match": 2, "fullmatch": 2, "search": 2, "findall": 2, "finditer": 2}
    place = at.get(getattr(call.func, "attr", "compile"), 9)
    stated = [*call.args[place : place + 1], *(k.value for k in call.keywords if k.arg == "flags")]
    text, *flags = (
        eval(compile(ast.Expression(part), "", "eval"), vars(module)) for part in (words, *stated)
    )
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return re.compile(text, *flags)


def hostile_to(pattern: re.Pattern[str]) -> list[Callable[[int], str]]:
    """Makers of texts of any length: each repeat, and each beginning, many times over."""
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    made: dict[tuple[str, str, str], None] = {}
    for before, bodies in _repeats(tree, ""):
        for body, end in itertools.product(bodies, _ENDS):
            made[before, body, end] = None
            if before:
                made["", before + body, end] = None
                made["", before, end] = None
        for pair in itertools.permutations(bodies[:3], 2):
            made[before, "".join(pair), "\x00"] = None
    for unit, end in itertools.product((*_beginnings(tree), *GENERAL), ("", "\x00")):
        made["", unit, end] = None
    return [_maker(*parts) for parts in made if parts[1]]


def _maker(before: str, body: str, end: str) -> Callable[[int], str]:
    return lambda length: before + body * max(1, length // len(body)) + end


def _beginnings(tree: Any) -> Iterator[str]:
    """The pattern's own text up to each of its parts, each option of a branch by itself."""
    made = ""
    for part in tree:
        for option in _samples(part):
            yield made + option
        made += next(iter(_samples(part)), "")


def _repeats(tree: Any, before: str) -> Iterator[tuple[str, list[str]]]:
    """Every repeat in a pattern: what comes before it, and what it repeats."""
    for part in tree:
        kind, about = part
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            yield before, list(itertools.islice(_several(about[2]), 8))
            yield from _repeats(about[2], before)
        elif kind is op.BRANCH:
            for option in about[1]:
                yield from _repeats(option, before)
        elif kind is op.SUBPATTERN:
            yield from _repeats(about[3], before)
        elif kind is op.ATOMIC_GROUP:
            yield from _repeats(about, before)
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            yield from _repeats(about[1], before)
        before += next(iter(_samples(part)), "")


def _several(tree: Any) -> Iterator[str]:
    """Texts that a sequence matches."""
    options = [list(itertools.islice(_samples(part), 8)) or [""] for part in tree]
    first = [choices[0] for choices in options]
    yield "".join(first)
    for n, choices in enumerate(options):
        for choice in choices[1:]:
            yield "".join([*first[:n], choice, *first[n + 1 :]])


def _samples(part: Any) -> Iterable[str]:
    """Texts that one part of a pattern matches, the plainest one first."""
    kind, about = part
    if kind is op.LITERAL:
        return [chr(about)]
    if kind in (op.ANY, op.NOT_LITERAL, op.IN):
        return _members(kind, about)
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return [text * max(1, min(about[0], 400)) for text in _several(about[2])]
    if kind is op.BRANCH:
        return [text for option in about[1] for text in itertools.islice(_several(option), 2)]
    if kind is op.SUBPATTERN:
        return _several(about[3])
    return _several(about) if kind is op.ATOMIC_GROUP else [""]


def _members(kind: Any, about: Any) -> list[str]:
    """Some characters of a class."""
    probe = "a1_ \n-+.,:;|/\\\"'`~*[]{}()<>=@#%&?!xe0AZ\u201c\u2018\u00b5\u25c1\u2014"
    if kind is op.ANY:
        return ["a", " ", "\n"]
    if kind is op.NOT_LITERAL:
        return [c for c in probe if ord(c) != about][:4]
    built = _parser.SubPattern(_parser.State(), [(op.IN, about)])
    fits = _compiled(built)
    listed = [chr(value) for what, value in about if what is op.LITERAL]
    return list(dict.fromkeys([*(c for c in probe if fits(c)), *listed]))[:9]


def _compiled(tree: Any) -> Callable[[str], bool]:
    from re import _compiler  # type: ignore[attr-defined]

    tree.state.str = ""
    return lambda c: _compiler.compile(tree).match(c) is not None


#: Lengths at which a text is tried before it is tried at full length: what doubles with each
#: character is found by then.
_RAMP = (8, 12, 16, 20, 24, 32, 48, 64, 128, 256, 512, 1024)


def cpu(work: Callable[[], object], times: int = 1) -> float:
    """The least CPU time of this thread for one piece of work, in seconds."""
    taken = []
    for _ in range(times):
        start = time.thread_time()
        work()
        taken.append(time.thread_time() - start)
    return min(taken)


def grows_faster(
    work: Callable[[str], object],
    make: Callable[[int], str],
    length: int,
    *,
    ramp: tuple[int, ...] = _RAMP,
    most: int = 40,
    in_c: bool = False,
) -> str:
    """How much longer four times the text takes, where it is much more than four times; else "".

    A reading that takes no longer than some plain passes over the text is not in question; one of
    a few characters that takes as long as `most` passes over the longest text is.
    """
    plain = _plain(length, in_c=in_c)
    for size in (n for n in ramp if n < length // 4):
        text = make(size)
        if cpu(partial(work, text)) > most * plain and (
            cpu(partial(work, text), 3) > most * _pass_over(length, in_c=in_c)
        ):
            return f"{size} characters take as long as {most * length} should"
    short, long = make(length // 4), make(length)
    taken = cpu(lambda: work(long))
    if taken < 10 * plain:
        return ""
    for times in (1, 5):
        taken = taken if times == 1 else cpu(lambda: work(long), times)
        ratio = taken / max(cpu(lambda: work(short), times + 1), plain / 4)
        if ratio < _MOST * len(long) / max(1, len(short)):
            return ""
    return f"{ratio:.0f} times the time for {len(long) / len(short):.1f} times the length"


_MOST = 2  # a linear reading gives 1, a quadratic one 4


def _pass_over(length: int, *, in_c: bool) -> float:
    """A pass over a text that looks at every character once: the slow way, or in C.

    What runs in C is not slowed down by a measurement of coverage.
    """
    text = "ab" * (length // 2)
    if in_c:
        return cpu(lambda: sum(map(operator.eq, text, itertools.repeat("a"))), 5)
    return cpu(lambda: sum(c == "a" for c in text), 5)


_plain = cache(_pass_over)  # measured once: there are thousands of texts
