"""A walker on a grid, made to measure."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from orchestrator.gmn.model import Conditional, GMNSpec, Move, Policy, Preference, Table, Variable
from orchestrator.gmn.request.commitment import TextSpan
from orchestrator.gmn.request.labels import cells_at, is_place
from orchestrator.gmn.request.refusals import SLIPS
from orchestrator.gmn.request.scan import ARTICLES, Scan
from orchestrator.gmn.request.tokens import words
from orchestrator.routing.offline.draft import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.gmn.request.commitment import Commitment
    from orchestrator.routing.offline.draft import Draft

_DELTAS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1), "stay": (0, 0)}
_SYNONYMS = {
    "north": "up", "south": "down", "west": "left", "east": "right",
    "forward": "up", "backward": "down", "back": "down",
    **dict.fromkeys(words("wait rest pause hover hold stop nothing none"), "stay"),
}  # fmt: skip
MOST_CELLS = 196  # 196 * 196 * 5 moves is the most that fits one table
UTILITY = 8.0  # nats; a step nearer must outweigh what a step may teach
AVERSION = -6.0
_GRIDS = words("grid maze labyrinth gridworld grid-world tiles chessboard")
_WALLS = words("wall walls obstacle obstacles block blocks blocked")
_FROM_ZERO = re.compile(r"\b(?:row|col|column)\s+(?:0|zero)\b", re.IGNORECASE)
_BETWEEN = ARTICLES | words("at on in cell cells is are , and :")
_SLIPS = words("slip slips slipping slippery icy fails fail wind windy drifts pushes course")
_SIDES = {
    **dict.fromkeys(words("top upper north"), "top"),
    **dict.fromkeys(words("bottom lower south"), "bottom"),
    **dict.fromkeys(words("left west"), "left"),
    **dict.fromkeys(words("right east"), "right"),
}


def is_on_grid(draft: Draft, agent_type: str) -> bool:
    """Whether a sentence is about moving on a grid."""
    if draft.first("size") or draft.words & _GRIDS:
        return True
    is_bare = not (draft.names.states or draft.names.actions or draft.reading.effects)
    is_bare = is_bare and not list(draft.of("count", "named"))
    return agent_type == "explorer" and is_bare


def build_grid(draft: Draft, agent_type: str) -> GMNSpec:
    """A position on a grid, seen with noise, moved by steps, with a wish graded by distance."""
    shape = _shape(draft)
    is_usual = agent_type == "explorer" and not draft.reading.not_understood
    if not is_usual and not list(draft.of("size", "goal")):
        draft.ask("how many rows and columns does the grid have, and which cell is the goal?")
    labels = cells(*shape)
    start = _cell(draft, draft.first("start"), shape) or "r0c0"
    if draft.first("start") is None:
        draft.assume(f"where it starts was not said: {start}")
    goal = _goal(draft, start, shape)
    avoid = [cell for one in draft.of("avoid") if (cell := _cell(draft, one, shape))]
    blocked = _blocked(draft, (start, goal, *avoid), shape=shape)
    moves, slip = _moves(draft), _slip(draft)
    noise = draft.noise(0.1, "what is seen of the cell")
    wish = _preference(draft, goal, avoid, walls=blocked, shape=shape)
    walls = tuple(label for label in labels if label in blocked)
    if slip:
        draft.assume("a move that fails leaves it where it is")
    _ask_of_the_rest(draft, shape)
    return GMNSpec(
        name="explorer",
        agent_type="explorer",
        description=f"Walks a {shape[0]}x{shape[1]} grid from {start} to {goal}.",
        states=(Variable(name="pos", shape=shape),),
        observations=(Variable(name="cell", shape=shape),),
        actions=(Variable(name="move", labels=tuple(moves)),),
        likelihoods=(
            Conditional(of="cell", given=("pos",), table=Table(kind="identity", noise=noise)),
        ),
        transitions=(
            Conditional(of="pos", given=("move", "pos"), table=_steps(moves, walls, slip)),
        ),
        priors=(Conditional(of="pos", table=Table(kind="map", map=(start,))),),
        preferences=(wish,),
        # Comparing policies costs policies times cells squared; a step keeps within milliseconds.
        policy=Policy(horizon=draft.horizon(3, len(moves), len(labels))),
    )


def cells(rows: int, columns: int) -> list[str]:
    """The labels of a grid's cells, row by row."""
    return [f"r{i}c{j}" for i in range(rows) for j in range(columns)]


def cell_at(place: str, rows: int, columns: int, *, is_counted: bool = False) -> str | None:
    """The label of ``r2c3``, ``centre`` or ``top left corner``; None for what is not on the grid.

    `is_counted` says that its rows and columns are counted from 1. A corner of which one side is
    not said is the one that is farther down or right.
    """
    meant = [(i - is_counted, j - is_counted) for i, j in cells_at(place, rows, columns)]
    found = [(i, j) for i, j in meant if 0 <= i < rows and 0 <= j < columns]
    at = (min if "near" in place else max)(found, default=None)
    return f"r{at[0]}c{at[1]}" if at else None


def _cell(draft: Draft, one: Commitment | None, shape: tuple[int, int]) -> str:
    """The cell that a commitment means; a question where it means none."""
    if one is None:
        return ""
    value = str(one.value)
    if cell := _placed(draft, value, one.about, shape):
        return cell
    side = _side(draft, one, shape)
    if side:
        draft.assume(f"{value} is at {side}")
    elif is_place(value):
        draft.ask(f"{value!r} is not a cell of the {shape[0]}x{shape[1]} grid: which is meant?")
    else:
        draft.ask(f"which cell of the {shape[0]}x{shape[1]} grid is {value!r}?")
    return side


def _placed(draft: Draft, place: str, about: str, shape: tuple[int, int]) -> str | None:
    """The label of a place; what is counted in words is counted from 1, but where a 0 is said."""
    is_counted = about == "counted" and _FROM_ZERO.search(draft.reading.text) is None
    if is_counted:
        draft.assume("rows and columns are counted from 1: row 1, column 1 is r0c0")
    return cell_at(place, *shape, is_counted=is_counted)


def _side(draft: Draft, one: Commitment, shape: tuple[int, int]) -> str:
    """The middle of the side on which something is said to be: ``the exit at the right``."""
    after = draft.reading.text[one.span.end :].casefold().split()[:4]
    said = next((_SIDES[w.strip(".,;")] for w in after if w.strip(".,;") in _SIDES), "")
    if not said or not {"at", "on"} & set(after[:1]):
        return ""
    (rows, columns) = shape
    at = {"top": (0, columns // 2), "bottom": (rows - 1, columns // 2),
          "left": (rows // 2, 0), "right": (rows // 2, columns - 1)}[said]  # fmt: skip
    return f"r{at[0]}c{at[1]}"


def _unread_places(draft: Draft, shape: tuple[int, int]) -> Iterator[TextSpan]:
    """The cells and corners of which nothing that was read says what is there."""
    scan, walls = Scan(draft.reading.text), _walled(draft, shape)
    for one in scan.places.values():
        span = TextSpan(scan.tokens[one.first].start, scan.tokens[one.after - 1].end)
        said = draft.reading.commitments
        is_read = any(span.overlaps(o.span) or o.value == one.value for o in said)
        is_read |= scan.low(one.after + (scan.low(one.after) == "is")) in ("not", "isn't")
        if not is_read and _placed(draft, one.value, one.about, shape) not in walls:
            yield span


def _ask_of_the_rest(draft: Draft, shape: tuple[int, int]) -> None:
    """What a grid has no place for."""
    for names in (draft.names.states, draft.names.observations, *draft.names.others):
        if names:
            draft.ask(f"what are {', '.join(names)} on the grid?")
    for span in _unread_places(draft, shape):
        draft.ask(f"what does {draft.part(span).strip()!r} mean for the model?")
    for one in draft.of("chance"):
        if not draft.has(one, _SLIPS | words("works succeeds")):
            draft.ask(f"what is {draft.reading.said(one)!r} the probability of?")


def _slip(draft: Draft) -> float:
    """How often a move does not happen."""
    for one in draft.of("chance"):
        share = float(one.value)  # type: ignore[arg-type]  # a chance is a number
        if draft.has(one, words("works succeeds")):
            return round(1.0 - share, 9)
        if draft.has(one, _SLIPS):
            return share
    absent = {word for one in draft.of("absent") for word in str(one.value).split()}
    if "deterministic" in draft.words or absent & SLIPS:
        return 0.0
    share = 0.2 if draft.words & _SLIPS else 0.1
    draft.assume(f"how often a move fails was not said: {share:.0%}")
    return share


def _steps(moves: Mapping[str, tuple[int, int]], walls: tuple[str, ...], slip: float) -> Table:
    return Table(
        kind="grid",
        moves=tuple(Move(action=action, delta=delta) for action, delta in moves.items()),
        blocked=walls,
        noise=slip,
        noise_kind="stay" if slip else "uniform",
    )


def _shape(draft: Draft) -> tuple[int, int]:
    said = draft.first("size")
    rows, columns = said.value if said else (5, 5)  # type: ignore[misc,str-unpack]  # rows and columns
    rows, columns = int(rows), int(columns)
    if said is None:
        draft.assume("no grid size was named: 5x5")
    asked = (rows, columns)
    keys = ("max_states", "max_observations")
    most = min([MOST_CELLS, *(draft.constraints[k] for k in keys if k in draft.constraints)])
    while rows * columns > most and max(rows, columns) > 1:
        rows, columns = (rows - 1, columns) if rows >= columns else (rows, columns - 1)
    if (rows, columns) != asked:
        draft.assume(
            f"the grid was made {rows}x{columns} instead of {asked[0]}x{asked[1]}"
            f" to stay within {most} cells"
        )
    return rows, columns


def _goal(draft: Draft, start: str, shape: tuple[int, int]) -> str:
    rows, columns = shape
    far = f"r{rows - 1}c{columns - 1}"
    far = far if far != start else "r0c0"
    said = draft.first("goal")
    cell = _cell(draft, said, shape)
    if said is None:
        draft.assume(f"no goal was named: the far corner {far}")
    elif cell == start and "corner" in str(said.value) and rows * columns > 1:
        draft.assume(f"the agent starts at {start}, so the corner to reach is {far}")
        return far
    return cell or far


def _blocked(draft: Draft, taken: tuple[str, ...], *, shape: tuple[int, int]) -> set[str]:
    """The walls that are named, and as many more as are counted."""
    start, goal, *_ = taken
    wanted = _walled(draft, shape)
    missing = _n_walls(draft) - len(wanted)
    if missing > 0:
        # Every other cell from the middle outwards leaves ways around.
        free = [c for k, c in enumerate(cells(*shape)) if c not in (*taken, *wanted) and k % 2]
        middle = len(free) // 2
        spread = sorted(free, key=lambda c: abs(free.index(c) - middle))
        wanted += spread[:missing]
        placed = ", ".join(spread[:missing]) or "nowhere"
        draft.assume(f"obstacles without a place were put at {placed}")
    walls: set[str] = set()
    for cell in wanted:
        if cell in (start, goal):
            draft.assume(f"obstacle {cell} lies on the start or the goal: left out")
        elif start not in distances(goal, walls | {cell}, shape):
            draft.assume(f"obstacle {cell} would cut off the goal: left out")
        else:
            walls.add(cell)
    return walls


def _walled(draft: Draft, shape: tuple[int, int]) -> list[str]:
    """The cells after ``walls at``."""
    scan, found = Scan(draft.reading.text), list[str]()
    for at, word in scan.walk():
        if word not in _WALLS:
            continue
        here = at + 1
        while scan.places.get(here) or scan.low(here) in _BETWEEN:
            if place := scan.places.get(here):
                cell = _placed(draft, place.value, place.about, shape)
                if cell is None:
                    draft.ask(
                        f"obstacle {place.value!r} is not a cell of the grid: which is meant?"
                    )
                found += [cell] if cell else []
            here = place.after if place else here + 1
    return list(dict.fromkeys(found))


def _n_walls(draft: Draft) -> int:
    for one in draft.of("count"):
        n, noun = one.value  # type: ignore[misc,str-unpack]  # a count is a number and a noun
        if str(noun) in _WALLS:
            return int(n)
    return 1 if re.search(r"\b(?:an obstacle|a wall)\b", draft.reading.text, re.IGNORECASE) else 0


def distances(goal: str, walls: set[str], shape: tuple[int, int]) -> dict[str, int]:
    """Steps to the goal from every cell that can reach it."""
    rows, columns = shape
    i, j = (int(part) for part in goal[1:].split("c"))
    found = {goal: 0}
    queue = deque([(i, j)])
    while queue:
        i, j = queue.popleft()
        for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            a, b = i + di, j + dj
            label = f"r{a}c{b}"
            if 0 <= a < rows and 0 <= b < columns and label not in walls and label not in found:
                found[label] = found[f"r{i}c{j}"] + 1
                queue.append((a, b))
    return found


def _moves(draft: Draft) -> dict[str, tuple[int, int]]:
    moves: dict[str, tuple[int, int]] = {}
    for name in draft.names.actions:
        said = name.casefold().split()[-1]
        meaning = _SYNONYMS.get(said, said)
        if meaning in _DELTAS and _DELTAS[meaning] not in moves.values():
            moves[slug(name)] = _DELTAS[meaning]
        else:
            draft.ask(f"in which direction does {name!r} go on the grid?")
    if not set(_DELTAS.values()) - {(0, 0)} <= set(moves.values()):
        if moves:
            draft.assume("directions that were not named were added, to reach every cell")
        kept = {d: a for a, d in moves.items()}
        moves = {kept.get(d, a): d for a, d in _DELTAS.items()}
    most = draft.constraints.get("max_actions", 5)
    if most < len(moves):
        moves = dict(list(moves.items())[:most])
        skipped = "stay" if most == 4 else "some directions"
        draft.assume(f"max_actions={most}: {skipped} left out")
    return moves


def _preference(
    draft: Draft, goal: str, avoid: Sequence[str], *, walls: set[str], shape: tuple[int, int]
) -> Preference:
    """Utility falls evenly with the steps left, so every step forward is worth the same."""
    steps = distances(goal, walls, shape)
    farthest = max(steps.values()) or 1
    best, worst = UTILITY, AVERSION
    for one in draft.of("utility"):
        value = float(one.value)  # type: ignore[arg-type]  # a utility is a number
        if value > 0:
            best = value
        elif value < 0 and avoid:
            worst = value
        else:
            draft.ask(f"what does {draft.reading.said(one)!r} count for: which cell or move?")
    values = [
        worst if cell in avoid else round(best * (1 - steps.get(cell, farthest) / farthest), 2)
        for cell in cells(*shape)
    ]
    return Preference(on="cell", values=tuple(values), reason=f"reach {goal}, nearer is better")
