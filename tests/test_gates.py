"""Gates on the code's shape: sizes, budgets per room, plain words, one definition per concept."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import orchestrator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "orchestrator"
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 40


class Budget(NamedTuple):
    """Code lines a room may hold.

    Attributes:
        most: the aim of the design.
        today: what the room holds while it is over its aim; this number may only fall.
        why: what keeps it over its aim.
    """

    most: int
    today: int = 0
    why: str = ""


#: A code line holds at least one token that is not a comment and not part of a docstring.
BUDGET = {
    "__init__": Budget(60, 99, "type checkers need one import line for each of the public names"),
    "__main__": Budget(10),
    "cli": Budget(
        1200,
        3901,
        "checks before a call, runs, streams, the output door; models, searches, service, batches",
    ),
    "server": Budget(
        1200,
        4356,
        "a gate against strangers, OpenAI's shape, streams that go on, keys, tools; LSP, a page",
    ),
    "agents": Budget(
        1100,
        2457,
        "conversations in two databases, turns that survive a kill, lost files; tasks: 836",
    ),
    "client": Budget(
        600,
        4862,
        "argument types and names, overloads, GMN tasks, searches; batches, three engines: 2,886",
    ),
    "generation": Budget(
        1500,
        5294,
        "candidates, strict types, cut-off answers and samples; search: 1,250, staged mode: 1,117",
    ),
    "routing": Budget(
        1900,
        6202,
        "the embedded provider: 1,745; batch endpoints, estimates, probes, search, mute streams",
    ),
    "models": Budget(
        800,
        2637,
        "registry, facts with sources, catalogue, life cycle; local servers; searches without one",
    ),
    "cache": Budget(
        750, 1210, "a store that others write to and remove; Redis, encryption, cassette: 223"
    ),
    "config": Budget(
        330, 579, "a key for each bound that a user may set, bounded YAML; search, the service"
    ),
    "ledger": Budget(320, 876, "sums of a month beside it, intent lines, private files"),
    "parsing": Budget(
        400,
        1727,
        "candidates, reasoning, patches, long numbers; schemas of strangers: 340; addresses",
    ),
    "gmn": Budget(
        6500,
        20937,
        "plans that branch, long numbers; other tools: 3,880, sentences: 3,003, pictures: 1,191",
    ),
    "types": Budget(
        400,
        1200,
        "results that show themselves, RunContext, work that ends, escapes",
    ),
}
CORE = Budget(4500, 13101, "its rooms are over their aims; search is in it")
CORE_ROOMS = ("types", "client", "generation", "cache", "routing", "ledger")
BESIDE_THE_CORE = (
    "client/batch",
    "generation/evaluation",
    "cache/redis.py",
    "cache/cassette.py",
    "routing/plan.py",
    "routing/health_check.py",
    "routing/offline",
    "generation/staged",
)
#: An allowance that is higher than the room by more than this is lowered.
SLACK = 15

#: "There is no", "is no longer" and "is no more than" are plain; "x is no y" is spelled "is not a".
BANNED = re.compile(
    r"\b(whoever|anew|told|mended|booked|of ours|by and by|owes nothing)\b"
    r"|(?<!there )\bis no\b(?! longer| more)",
    re.IGNORECASE,
)
PROSE = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "prompts")
#: Sentences that stay, by file, each with its reason.
EXEMPT = {
    # What is sent to a model: its recorded answers belong to these very words.
    ("prompts/templates/rewrite.md.j2", "mended"),
}


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    return [(p.relative_to(ROOT), ast.parse(p.read_text(encoding="utf-8"))) for p in FILES]


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function below its docstring: words that explain cost nothing."""
    first = node.body[0]
    has_words = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    words = (first.end_lineno or 0) - first.lineno + 1 if has_words else 0
    return (node.end_lineno or 0) - node.lineno + 1 - words


def test_nothing_that_is_judged_holds_a_lock_while_it_waits() -> None:
    # Python 3.11's cached_property holds one for the class; a job waits for its turn inside.
    holding = [
        str(path)
        for path, tree in trees()
        if path.parts[1] in ("gmn", "generation", "parsing", "types")
        and "cached_property" in (ROOT / path).read_text(encoding="utf-8")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Attribute)
        and "functools" in ast.unparse(node)
        and "cached_property" in ast.unparse(node)
    ]
    assert holding == []


def test_no_file_is_longer_than_one_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in FILES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_FILE_LINES
    }
    assert long == {}


def test_no_function_is_longer_than_one_paragraph() -> None:
    long = {
        f"{path}:{node.lineno} {node.name}": body_lines(node)
        for path, node in functions()
        if body_lines(node) > MOST_FUNCTION_LINES
    }
    assert long == {}


def test_no_function_takes_more_than_five_positional_parameters() -> None:
    wide = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in functions()
        if len([a for a in node.args.args if a.arg not in ("self", "cls")]) > 5
    ]
    assert wide == []


def test_every_public_class_name_has_one_definition() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_nothing_public_is_without_a_docstring() -> None:
    silent = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees()
        for node in [*tree.body]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_nothing_but_the_output_file_prints() -> None:
    printing = {
        str(path)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    assert printing <= {"orchestrator/cli/output.py"}


def test_type_checkers_see_the_names_that_a_running_program_sees() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.asname: f"{statement.module}.{alias.name}"
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    lazy = {name: f"orchestrator.{home}.{name}" for name, home in orchestrator._HOME_OF.items()}
    assert typed == lazy
    assert dir(orchestrator) == sorted(lazy) == sorted(vars(orchestrator)["__all__"])


def test_every_public_name_resolves() -> None:
    for name in dir(orchestrator):
        assert getattr(orchestrator, name).__name__ == name


def test_importing_the_package_brings_nothing_heavy() -> None:
    code = (
        "import sys, orchestrator; "
        "print([m for m in ('litellm', 'numpy', 'pydantic', 'yaml') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(orchestrator, "manager")
    assert "Orchestrator" in dir(orchestrator)


def code_lines(text: str) -> int:
    """Lines with at least one token that is neither a comment nor part of a docstring."""
    return code_and_comments(text)[0]


def code_and_comments(text: str) -> tuple[int, str]:
    """How many lines of code a module has, and the words of its comments."""
    docstrings = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node) is not None
    }
    layout = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENDMARKER,
    }  # fmt: skip
    lines: set[int] = set()
    comments: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.append(token.string.lstrip("#: "))
        elif token.type not in layout and token.start not in docstrings:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines), " ".join(comments)


@cache
def tokenized(path: Path) -> tuple[int, str]:
    return code_and_comments(path.read_text(encoding="utf-8"))


def lines_by_file() -> dict[str, int]:
    return {str(path.relative_to(PACKAGE)): tokenized(path)[0] for path in FILES}


def over_or_stale(room: str, budget: Budget, lines: int) -> str:
    """What is wrong with a room's size or with its allowance; empty when nothing is."""
    allowed = max(budget.most, budget.today)
    if lines > allowed:
        return f"{room} holds {lines} code lines, more than its {allowed}: remove some"
    if budget.today and (lines <= budget.most or budget.today - lines > SLACK):
        return f"{room} holds {lines} code lines, its allowance is {budget.today}: lower it"
    return ""


def test_every_room_and_the_core_path_keep_their_budgets_of_code_lines() -> None:
    rooms: dict[str, int] = defaultdict(int)
    by_file = lines_by_file()
    for file, lines in by_file.items():
        rooms[file.partition("/")[0].removesuffix(".py")] += lines
    assert set(rooms) == set(BUDGET)
    wrong = [over_or_stale(room, budget, rooms[room]) for room, budget in BUDGET.items()]
    assert [words for words in wrong if words] == []
    assert [room for room, budget in BUDGET.items() if bool(budget.today) != bool(budget.why)] == []
    core = sum(
        lines
        for file, lines in by_file.items()
        if file.startswith(CORE_ROOMS) and not file.startswith(BESIDE_THE_CORE)
    )
    assert over_or_stale("the core path", CORE, core) == ""


def test_docstrings_comments_and_blank_lines_are_not_code_lines() -> None:
    text = '"""Words\nof a module."""\n\n# a comment\nx = """two\nlines"""\n'
    assert code_lines(text) == 2


def prose_of(path: Path) -> Iterator[str]:
    """The words of a file with single spaces: all of a text, comments and literals of a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield " ".join(text.split())
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield " ".join(node.value.split())
    yield tokenized(path)[1]


@cache
def riddles() -> list[tuple[str, str, str]]:
    """Every banned phrase: its file, the phrase, and the words around it."""
    beside = [ROOT / name for name in PROSE]
    texts = [p for top in beside for p in ([top] if top.is_file() else sorted(top.rglob("*.*")))]
    return [
        (str(path.relative_to(ROOT)), found[0].lower(), words[max(0, found.start() - 30) :][:90])
        for path in [*FILES, *sorted(PACKAGE.rglob("*.md")), *texts]
        for words in prose_of(path)
        for found in BANNED.finditer(words)
    ]


def test_no_banned_phrase_stands_in_what_people_read() -> None:
    found = [(file, around) for file, phrase, around in riddles() if (file, phrase) not in EXEMPT]
    assert found == []


def test_every_exemption_is_needed() -> None:
    found = {(file, phrase) for file, phrase, _ in riddles()}
    assert found >= EXEMPT
