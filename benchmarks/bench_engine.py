"""Our engine against pymdp's and against a POMCP: time of a step, and utility on known problems.

Every part is skipped, and says so, where its package is missing: pymdp 1.0.4 is the extra `pymdp`,
POMCP comes with pomdp-py, which nothing here depends on. Times are CPU time of the process with all
of its threads, in turn. A step is an observation, all plans and the choice of an action; no belief
is used twice, so nothing is remembered. An episode includes the preparation of the model's arrays.
Words after the command keep what has one of them in its name: `bench_engine grid tiger`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ratio import interleaved, seconds_of, spell
from orchestrator.gmn.acting.simulate import simulate
from orchestrator.gmn.compile import Compiled
from orchestrator.gmn.engine.choice import choose, choose_many
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.limits import HARD_LIMITS
from orchestrator.gmn.optimum.expected import expected_utility
from orchestrator.gmn.optimum.optimal import optimum
from orchestrator.gmn.pymdp import to_pymdp
from orchestrator.gmn.validate import validate

ROOT = Path(__file__).parent.parent
SIDES = (3, 5, 10, 20)  # of a grid
FACTORS = (1, 2, 3, 4)  # of five values each
MANY = 1000
ROUNDS = 15
#: Steps and episodes on each problem, simulations of POMCP for one step.
PROBLEMS = {"tiger": (20, 20, 1000), "rocksample_4x4": (20, 10, 2000)}

# -- models


def model_of(text: str) -> Compiled:
    """The compiled model of a document that may be large."""
    found = validate(text, limits=HARD_LIMITS, run_steps=0).compiled
    assert found is not None
    return found


def grid(side: int, horizon: int = 2) -> str:
    """An agent that moves on a square, sees its cell through noise and wants a corner."""
    moves = "up: [-1, 0], down: [1, 0], left: [0, -1], right: [0, 1], stay: [0, 0]"
    return f"""gmn 1.0
agent grid {{ type: explorer }}
node state cell {{ shape: [{side}, {side}] }}
node observation seen {{ shape: [{side}, {side}] }}
node action go {{ labels: [up, down, left, right, stay] }}
node emission A {{ from: [cell] to: seen identity noise: 0.1 }}
node transition B {{ from: [go, cell] to: cell grid moves: {{{moves}}} }}
node preference C {{ on: seen goals: {{r0c{side - 1}: 2}} }}
node policy pi {{ horizon: {horizon} gamma: 8 }}
"""


def factors(count: int) -> str:
    """Factors of five values that one likelihood has in common."""
    names = [f"s{i}" for i in range(count)]
    states = "".join(
        f"node state {name} {{ size: 5 }}\n"
        f"node transition B{name} {{ from: [u, {name}] to: {name} shift"
        " moves: {back: [-1], stay: [0], on: [1]} noise: 0.1 noise_kind: others }\n"
        for name in names
    )
    return f"""gmn 1.0
agent chain {{ type: explorer }}
{states}node observation o {{ labels: [low, high] }}
node action u {{ labels: [back, stay, on] }}
node emission A {{ from: [{", ".join(names)}] to: o rules: [
  {{when: {{{", ".join(f"{name}: [3, 4]" for name in names)}}}, then: {{high: 0.9, low: 0.1}}}},
  {{then: {{low: 0.8, high: 0.2}}}} ] }}
node preference C {{ on: o goals: {{high: 2}} }}
node policy pi {{ horizon: 2 gamma: 8 }}
"""


def models() -> Iterator[tuple[str, Compiled]]:
    """Every model whose steps are timed."""
    for path in sorted((ROOT / "prompts" / "library").glob("*.gmn")):
        if wanted(path.stem):
            yield path.stem, model_of(path.read_text(encoding="utf-8"))
    for side in SIDES:
        if wanted(f"grid of {side * side}"):
            yield f"grid of {side * side}", model_of(grid(side))
    for count in FACTORS:
        if wanted(f"{count} x 5"):
            yield f"{count} x 5", model_of(factors(count))


def wanted(name: str) -> bool:
    """Whether it is asked for: everything, where the command names nothing."""
    return not sys.argv[1:] or any(word in name for word in sys.argv[1:])


# -- a step here and in pymdp


def situations(model: Compiled) -> Iterator[tuple[list[Any], list[int]]]:
    """Priors and observations without end, none twice."""
    rng = np.random.default_rng(0)
    while True:
        priors = [rng.dirichlet(np.ones(s.n)) for s in model.states]
        yield priors, [int(rng.integers(o.n)) for o in model.observations]


def ours(model: Compiled) -> Callable[[], object]:
    """A function that makes one step here, in another situation each time; warm, as pymdp's."""
    engine, rng = Engine(model), np.random.default_rng(0)
    ahead = ((engine.from_marginals(p), seen) for p, seen in situations(model))
    ready = list(itertools.islice(ahead, 3 * ROUNDS + MANY))

    def step() -> object:
        prior, seen = ready.pop() if len(ready) > MANY else next(ahead)
        return choose(engine, engine.observe(prior, seen).beliefs, rng).action

    for _ in range(ROUNDS):
        step()
    return step


def theirs(model: Compiled, at_once: int) -> Callable[[], object]:
    """A function that makes one compiled step of pymdp's, for so many situations at once."""
    import equinox
    import jax
    import jax.numpy as jnp

    agent = to_pymdp(model)

    def one(seen: Any, priors: Any) -> Any:
        beliefs = agent.infer_states(seen, priors)
        posterior, _ = agent.infer_policies(beliefs)
        return posterior.argmax()

    step = equinox.filter_jit(jax.vmap(one))
    some = list(itertools.islice(situations(model), at_once))
    seen = [jnp.array([[s[m]] for _, s in some]) for m in range(len(model.observations))]
    priors = [jnp.asarray([[p[f]] for p, _ in some], jnp.float32) for f in range(len(model.states))]
    return lambda: jax.block_until_ready(step(seen, priors))


def steps() -> None:
    """Print our time of a step beside pymdp's, single and a thousand at once; who is faster."""
    faster, measured = [], 0
    for name, model in models():
        try:
            single, many = theirs(model, 1), theirs(model, MANY)
            single()
        except Exception as error:  # noqa: BLE001  what pymdp cannot do is a result
            print(f"engine: {name}: pymdp: {type(error).__name__}: {str(error)[:100]}", flush=True)
            continue
        how, all_of_ours = at_once(model)
        for words, us, a, b, rounds in (
            (f"{name}, one step", "ours", ours(model), single, ROUNDS),
            (f"{name}, {MANY:,} steps", how, all_of_ours, many, 4),
        ):
            ratio = interleaved(a, b, rounds=rounds, clock=time.process_time)
            print(f"engine: {ratio.line(words, us, 'pymdp')}", flush=True)
            measured += 1
            if ratio.median > 1:
                faster.append(f"{words} ({ratio.median:.3g})")
    if measured:
        print(f"engine: pymdp is faster at: {'; '.join(faster) or 'nothing'}", flush=True)


def at_once(model: Compiled) -> tuple[str, Callable[[], object]]:
    """How `MANY` steps are made here, and a function that makes them."""
    engine = Engine(model)
    some = list(itertools.islice(situations(model), MANY))
    each = [engine.from_marginals(priors) for priors, _ in some]
    rngs = [np.random.default_rng(seed) for seed in range(MANY)]
    if not engine.is_exact:

        def loop() -> None:
            engine.known.clear()
            for prior, (_, seen), rng in zip(each, some, rngs, strict=True):
                choose(engine, engine.observe(prior, seen).beliefs, rng)

        return "our loop", loop
    beliefs = tuple(np.stack(parts) for parts in zip(*each, strict=True))
    shown = np.array([seen for _, seen in some])

    def batch() -> object:
        engine.known.clear()
        return choose_many(engine, engine.observe_many(beliefs, shown)[0], rngs)

    return "our batch", batch


# -- utility on known problems


def pomcp_tiger(steps_: int, simulations: int) -> float:
    """Discounted reward of one episode of pomdp-py's POMCP on its own Tiger."""
    import pomdp_py
    from pomdp_py.problems.tiger import tiger_problem as tiger

    names = ["tiger-left", "tiger-right"]
    belief = pomdp_py.Particles([tiger.TigerState(n) for n in names for _ in range(500)])
    problem = tiger.TigerProblem(0.15, tiger.TigerState(random.choice(names)), belief)
    return _episode(problem, steps_, simulations, exploration=110)


def pomcp_rocks(steps_: int, simulations: int) -> float:
    """The same on its RockSample, with the same rocks as here."""
    import pomdp_py
    from pomdp_py.problems.rocksample import rocksample_problem as rocks

    at = {(3, 1): 0, (2, 1): 1, (1, 3): 2, (1, 0): 3}
    kinds = list(itertools.product((rocks.RockType.GOOD, rocks.RockType.BAD), repeat=4))
    belief = pomdp_py.Particles([rocks.State((0, 2), k, False) for k in kinds for _ in range(60)])
    start = rocks.State((0, 2), random.choice(kinds), False)
    problem = rocks.RockSampleProblem(4, 4, start, at, belief)
    return _episode(problem, steps_, simulations, exploration=20)


def _episode(problem: Any, steps_: int, simulations: int, exploration: float) -> float:
    import pomdp_py

    planner = pomdp_py.POMCP(
        max_depth=20,
        discount_factor=0.95,
        num_sims=simulations,
        exploration_const=exploration,
        rollout_policy=problem.agent.policy_model,
    )
    total, now = 0.0, 1.0
    for _ in range(steps_):
        action = planner.plan(problem.agent)
        total += now * problem.env.state_transition(action, execute=True)
        now *= 0.95
        if getattr(problem.env.state, "terminal", False):
            break
        seen = problem.env.provide_observation(problem.agent.observation_model, action)
        problem.agent.update_history(action, seen)
        planner.update(problem.agent, action, seen)
    return total


def our_episode(model: Compiled, steps_: int, seed: int) -> float:
    """Discounted utility of one episode; in these problems acts alone have a utility."""
    run = simulate(Engine(model), steps=steps_, seed=seed, keep_choices=False)
    return sum(step.utility * model.discount**t for t, step in enumerate(run.steps))


def problem(name: str) -> Compiled:
    """A known problem."""
    path = ROOT / "tests" / "gmn" / "pomdps" / f"{name}.gmn"
    return model_of(path.read_text(encoding="utf-8"))


def far() -> None:
    """Print our time of a step that compares 625 plans."""
    if wanted(name := "grid of 25, horizon 4"):
        step = ours(model_of(grid(5, 4)))
        took = [seconds_of(step, clock=time.process_time) for _ in range(ROUNDS)]
        print(
            f"engine: {name}: one step of our engine {spell(statistics.median(took))}", flush=True
        )


def plans() -> None:
    """Print what our agent gains, exactly, of what is possible, and what its first plan takes."""
    for name, (length, _, _) in PROBLEMS.items():
        if not wanted(name):
            continue
        model = problem(name)
        best, engine = optimum(model, steps=length), Engine(model)
        expected = expected_utility(engine, steps=length)
        print(f"engine: {name}, {length} steps: optimum {best.lower:.4g} to {best.upper:.4g},"
              f" ours {expected:.4g} expected, looking {engine.depth} of {model.horizon} steps"
              f" ahead", flush=True)  # fmt: skip
        for horizon in (6, 8, 10):
            engine = Engine(replace(model, horizon=horizon))
            beliefs = engine.observe(engine.start(), [0] * len(model.observations)).beliefs
            start = time.process_time()
            depth = engine.plan(beliefs)[1]
            took = spell(time.process_time() - start)
            print(f"engine: {name}: first plan of horizon {horizon} looks {depth} steps ahead in"
                  f" {took}", flush=True)  # fmt: skip


def utilities() -> None:
    """Print utility and time of an episode, ours and POMCP's in turn."""
    play = {"tiger": pomcp_tiger, "rocksample_4x4": pomcp_rocks}
    for name, (length, episodes, simulations) in PROBLEMS.items():
        if not wanted(name):
            continue
        model = problem(name)
        gained: dict[str, list[float]] = {"ours": [], "POMCP": []}
        took: dict[str, list[float]] = {"ours": [], "POMCP": []}
        lost = 0
        for seed in range(episodes):
            start = time.process_time()
            gained["ours"].append(our_episode(model, length, seed))
            took["ours"].append(time.process_time() - start)
            random.seed(seed)
            start = time.process_time()
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
                    value = play[name](length, simulations)
            except Exception:  # noqa: BLE001  its particles can run out; counted below
                lost += 1
                continue
            took["POMCP"].append(time.process_time() - start)
            gained["POMCP"].append(value)
        for who, values in gained.items():
            error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
            mean = statistics.fmean(values) if values else float("nan")
            seconds = spell(statistics.median(took[who])) if values else "-"
            print(f"engine: {name}: {who} {mean:.4g} ± {error:.2g} over {len(values)} episodes,"
                  f" {seconds} an episode", flush=True)  # fmt: skip
        if lost:
            print(f"engine: {name}: POMCP ran out of particles in {lost} of {episodes} episodes")


def main() -> None:
    """Each part whose package is there; a load above the processors makes times mere examples."""
    print(f"engine: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    far()
    plans()
    for package, part, how in (
        ("pymdp", steps, "install the extra `pymdp`"),
        ("pomdp_py", utilities, "optional: pip install pomdp-py"),
    ):
        if importlib.util.find_spec(package) is None:
            print(f"engine: {part.__name__}: skipped: {package} is not installed; {how}")
        else:
            part()


if __name__ == "__main__":
    main()
