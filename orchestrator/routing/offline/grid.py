"""A walker on a grid, made to measure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from orchestrator.gmn.model import Conditional, GMNSpec, Move, Policy, Preference, Table, Variable
from orchestrator.routing.offline.wording import Wording, cell_of, cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DELTAS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1), "stay": (0, 0)}
_SYNONYMS = {
    "north": "up", "south": "down", "west": "left", "east": "right", "wait": "stay", "rest": "stay",
    "pause": "stay", "none": "stay", "forward": "up", "backward": "down", "back": "down",
}  # fmt: skip
MOST_CELLS = 196  # 196 * 196 * 5 moves is the most that fits one table
UTILITY = 8.0  # nats; a step nearer must outweigh what a step may teach
AVERSION = -6.0


def build_grid(wording: Wording, constraints: Mapping[str, int], assumptions: list[str]) -> GMNSpec:
    """A position on a grid, seen with noise, moved by steps, with a wish graded by distance."""
    rows, columns = _sizes(wording, constraints, assumptions)
    labels = cells(rows, columns)
    start = _start(wording, rows, columns, assumptions)
    goal = _goal(wording, start, rows, columns, assumptions)
    avoid = _known(wording.avoid, rows, columns, "place to avoid", assumptions)
    blocked = _blocked(
        wording, start, goal, avoid=avoid, shape=(rows, columns), assumptions=assumptions
    )
    moves = _moves(wording, constraints, assumptions)
    noise = _or_assumed(wording.noise, 0.1, "sensor noise", assumptions)
    slip = _or_assumed(wording.slip, 0.1, "slip", assumptions)
    walls = tuple(label for label in labels if label in blocked)
    wish = _preference(labels, goal, avoid, walls=blocked, shape=(rows, columns))
    return GMNSpec(
        name="explorer",
        agent_type="explorer",
        description=f"Walks a {rows}x{columns} grid from {start} to {goal}.",
        states=(Variable(name="pos", shape=(rows, columns)),),
        observations=(Variable(name="cell", shape=(rows, columns)),),
        actions=(Variable(name="move", labels=tuple(moves)),),
        likelihoods=(
            Conditional(of="cell", given=("pos",), table=Table(kind="identity", noise=noise)),
        ),
        transitions=(
            Conditional(of="pos", given=("move", "pos"), table=_steps(moves, walls, slip)),
        ),
        priors=(Conditional(of="pos", table=Table(kind="map", map=(start,))),),
        preferences=(wish,),
        policy=Policy(horizon=_horizon(len(moves), wording, rows * columns, assumptions)),
    )


def _steps(moves: Mapping[str, tuple[int, int]], walls: tuple[str, ...], slip: float) -> Table:
    return Table(
        kind="grid",
        moves=tuple(Move(action=action, delta=delta) for action, delta in moves.items()),
        blocked=walls,
        noise=slip,
        noise_kind="stay" if slip else "uniform",
    )


def _sizes(
    wording: Wording, constraints: Mapping[str, int], assumptions: list[str]
) -> tuple[int, int]:
    rows, columns = wording.grid or (5, 5)
    if wording.grid is None:
        assumptions.append("no grid size was named: 5x5")
    asked = (rows, columns)
    bounds = [constraints[key] for key in ("max_states", "max_observations") if key in constraints]
    most = min([MOST_CELLS, *bounds])
    while rows * columns > most and max(rows, columns) > 1:
        rows, columns = (rows - 1, columns) if rows >= columns else (rows, columns - 1)
    if (rows, columns) != asked:
        assumptions.append(
            f"the grid was made {rows}x{columns} instead of {asked[0]}x{asked[1]}"
            f" to stay within {most} cells"
        )
    return rows, columns


def _start(wording: Wording, rows: int, columns: int, assumptions: list[str]) -> str:
    if wording.start and (cell := cell_of(wording.start, rows, columns)):
        return cell
    if wording.start:
        assumptions.append(f"start {wording.start!r} is not a cell of the grid: r0c0")
    return "r0c0"


def _goal(wording: Wording, start: str, rows: int, columns: int, assumptions: list[str]) -> str:
    far = f"r{rows - 1}c{columns - 1}"
    far = far if far != start else "r0c0"
    if not wording.goal:
        assumptions.append(f"no goal was named: the far corner {far}")
        return far
    cell = cell_of(wording.goal, rows, columns)
    if cell is None:
        assumptions.append(f"goal {wording.goal!r} is not a cell of the grid: the far corner {far}")
        return far
    if cell == start and "corner" in wording.goal and rows * columns > 1:
        assumptions.append(f"the agent starts at {start}, so the corner to reach is {far}")
        return far
    return cell


def _known(
    places: Sequence[str], rows: int, columns: int, what: str, assumptions: list[str]
) -> tuple[str, ...]:
    found: list[str] = []
    for place in places:
        cell = cell_of(place, rows, columns)
        if cell is None:
            assumptions.append(f"{what} {place!r} is outside the grid: ignored")
        else:
            found.append(cell)
    return tuple(dict.fromkeys(found))


def _blocked(
    wording: Wording,
    start: str,
    goal: str,
    *,
    avoid: Sequence[str],
    shape: tuple[int, int],
    assumptions: list[str],
) -> set[str]:
    named = _known(wording.blocked, *shape, "obstacle", assumptions)
    wanted = list(named)
    missing = wording.n_obstacles - len(named)
    if missing > 0:
        # Every other cell from the middle outwards leaves ways around.
        taken = (start, goal, *avoid, *named)
        free = [c for k, c in enumerate(cells(*shape)) if c not in taken and k % 2]
        middle = len(free) // 2
        spread = sorted(free, key=lambda c: abs(free.index(c) - middle))
        wanted += spread[:missing]
        placed = ", ".join(spread[:missing]) or "nowhere"
        assumptions.append(f"obstacles without a place were put at {placed}")
    walls: set[str] = set()
    for cell in wanted:
        if cell in (start, goal):
            assumptions.append(f"obstacle {cell} lies on the start or the goal: left out")
        elif start not in distances(goal, walls | {cell}, shape):
            assumptions.append(f"obstacle {cell} would cut off the goal: left out")
        else:
            walls.add(cell)
    return walls


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


def _moves(
    wording: Wording, constraints: Mapping[str, int], assumptions: list[str]
) -> dict[str, tuple[int, int]]:
    moves: dict[str, tuple[int, int]] = {}
    for name in wording.actions:
        meaning = _SYNONYMS.get(name.lower(), name.lower())
        if meaning in _DELTAS and _DELTAS[meaning] not in moves.values():
            moves[name] = _DELTAS[meaning]
        else:
            assumptions.append(f"action {name!r} has no direction on a grid: ignored")
    if not set(_DELTAS.values()) - {(0, 0)} <= set(moves.values()):
        if moves:
            assumptions.append("directions that were not named were added, to reach every cell")
        kept = {d: a for a, d in moves.items()}
        moves = {kept.get(d, a): d for a, d in _DELTAS.items()}
    most = constraints.get("max_actions", 5)
    if most < len(moves):
        moves = dict(list(moves.items())[:most])
        skipped = "stay" if most == 4 else "some directions"
        assumptions.append(f"max_actions={most}: {skipped} left out")
    return moves


def _or_assumed(value: float | None, default: float, what: str, assumptions: list[str]) -> float:
    if value is None:
        assumptions.append(f"{what} was not named: {default:.0%}")
        return default
    return value


def _preference(
    labels: Sequence[str],
    goal: str,
    avoid: Sequence[str],
    *,
    walls: set[str],
    shape: tuple[int, int],
) -> Preference:
    """Utility falls evenly with the steps left, so every step forward is worth the same."""
    steps = distances(goal, walls, shape)
    farthest = max(steps.values()) or 1
    values = [
        AVERSION
        if cell in avoid
        else round(UTILITY * (1 - steps.get(cell, farthest) / farthest), 2)
        for cell in labels
    ]
    return Preference(on="cell", values=tuple(values), reason=f"reach {goal}, nearer is better")


def _horizon(n_moves: int, wording: Wording, cells: int, assumptions: list[str]) -> int:
    # Comparing policies costs policies times cells squared; this keeps a step within milliseconds.
    fitting = [h for h in range(1, 9) if n_moves**h * cells <= 100_000 and n_moves**h <= 4096]
    most = max(fitting, default=1)
    wanted = wording.horizon or 3
    if wanted > most:
        if wording.horizon:
            assumptions.append(f"horizon {wanted} makes too many plans: {most}")
        return most
    return wanted
