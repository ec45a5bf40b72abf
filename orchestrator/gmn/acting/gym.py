"""Gymnasium both ways: a world as a `gymnasium.Env`, and an Env as a world; an optional extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.gmn.acting.world import World, indices, unknown
from orchestrator.types.errors import MissingExtraError

try:
    import gymnasium
    from gymnasium import spaces
except ModuleNotFoundError as error:
    raise MissingExtraError("orchestrator.gmn.acting.gym", "gym") from error

if TYPE_CHECKING:
    from orchestrator.gmn.compile import Compiled

#: The labels that the values of a space stand for, in order, by name.
Names = Mapping[str, Sequence[str]]


class GymWorld(gymnasium.Env[Any, Any]):  # type: ignore[misc, unused-ignore]
    """A world sampled from a model, for anything that trains on Gymnasium.

    The observation is a Dict with a Discrete for each modality, the action a Discrete, or a
    MultiDiscrete where the model has several; values count the labels. The reward is what the
    model prefers, in nats. `info` holds the true state, in labels.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  the name and type are theirs

    def __init__(self, model: Compiled) -> None:
        self.world = World(model)
        sizes = [action.n for action in model.actions]
        self.observation_space = spaces.Dict(
            {modality.name: spaces.Discrete(modality.n) for modality in model.observations}
        )
        self.action_space = (
            spaces.Discrete(sizes[0]) if len(sizes) == 1 else spaces.MultiDiscrete(sizes)
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.int64], dict[str, Any]]:
        """As `gymnasium.Env.reset`; there are no options."""
        super().reset(seed=seed)
        if seed is None:
            self.world.rng = self.np_random
        observation, known = self.world.reset(seed=seed)
        return self._numbers(observation), known

    def step(self, action: Any) -> tuple[dict[str, np.int64], float, bool, bool, dict[str, Any]]:
        """As `gymnasium.Env.step`."""
        names = [v.name for v in self.world.model.actions]
        chosen = dict(zip(names, map(int, np.atleast_1d(action)), strict=True))
        observation, reward, terminated, truncated, known = self.world.step(chosen)
        return self._numbers(observation), reward, terminated, truncated, known

    def _numbers(self, observation: Mapping[str, str]) -> dict[str, np.int64]:
        variables = self.world.model.observations
        found = indices("observation", variables, observation)
        return {v.name: np.int64(i or 0) for v, i in zip(variables, found, strict=True)}


class GymEnvironment:
    """A `gymnasium.Env` with discrete spaces as the environment of an agent.

    Attributes:
        env: the Env.
        observations, actions: for each modality and action the labels, in the order of the values
            of its space. The parts of a MultiDiscrete, Tuple or MultiBinary stand in the order of
            the mapping; those of a Dict by their key.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], *, observations: Names, actions: Names
    ) -> None:
        """Fit labels to spaces.

        Raises: ValueError: a space is not discrete, or has another number of values than labels.
        """
        self.env = env
        self.observations = {name: tuple(names) for name, names in observations.items()}
        self.actions = {name: tuple(names) for name, names in actions.items()}
        self._seen = _starts("observation", env.observation_space, self.observations)
        self._done = _starts("action", env.action_space, self.actions)

    def reset(self, *, seed: int | None = None) -> tuple[dict[str, str], dict[str, Any]]:
        """As `Environment.reset`."""
        observation, known = self.env.reset(seed=seed)
        return self._labels(observation), known

    def step(
        self, action: Mapping[str, str]
    ) -> tuple[dict[str, str], float, bool, bool, dict[str, Any]]:
        """As `Environment.step`.

        Raises: ValueError: a label of the action is not one of those given for it.
        """
        chosen: dict[str, int] = {}
        for name, start in self._done.items():
            label = action.get(name, "")
            if label not in self.actions[name]:
                words = f"action {name} cannot be {label!r}; it is not"
                raise ValueError(unknown(words, label, self.actions[name]))
            chosen[name] = start + self.actions[name].index(label)
        given = _joined(self.env.action_space, chosen)
        observation, reward, terminated, truncated, known = self.env.step(given)
        return self._labels(observation), float(reward), terminated, truncated, known

    def _labels(self, observation: Any) -> dict[str, str]:
        parts = _values(self.env.observation_space, observation, self._seen)
        return {
            name: self.observations[name][int(value) - start]
            for (name, start), value in zip(self._seen.items(), parts, strict=True)
        }


def _values(space: Any, given: Any, names: Mapping[str, int]) -> list[Any]:
    if isinstance(space, spaces.Discrete):
        return [given]
    return [given[name] for name in names] if isinstance(space, spaces.Dict) else list(given)


def _joined(space: Any, chosen: dict[str, int]) -> Any:
    if isinstance(space, spaces.Dict):
        return {key: np.int64(value) for key, value in chosen.items()}
    values = [np.int64(value) for value in chosen.values()]
    if isinstance(space, spaces.Discrete):
        return values[0]
    return tuple(values) if isinstance(space, spaces.Tuple) else np.array(values, space.dtype)


def _starts(kind: str, space: Any, names: Names) -> dict[str, int]:
    """The first value of each part of a space, by name."""
    parts = _parts(kind, space)
    is_named = isinstance(space, spaces.Dict)
    if len(parts) != len(names) or (is_named and parts.keys() != names.keys()):
        wanted = f"the names {', '.join(map(str, parts))}" if is_named else f"{len(parts)} names"
        raise ValueError(
            f"{kind}s name {', '.join(names) or 'nothing'}; the {kind} space {space} needs {wanted}"
        )
    found = {}
    for name, key in zip(names, names if is_named else parts, strict=True):
        count, start = parts[key]
        if len(names[name]) != count or len(set(names[name])) != count:
            raise ValueError(
                f"{kind} {name} has {len(set(names[name]))} different labels, and its space"
                f" {space} has {count} values; give one label for each, in order"
            )
        found[name] = start
    return found


def _parts(kind: str, space: Any) -> dict[Any, tuple[int, int]]:
    """How many values each part of a space has, and which is the first."""
    inner: dict[Any, Any] = {0: space}
    if isinstance(space, spaces.Dict):
        inner = dict(space.spaces)
    elif isinstance(space, spaces.Tuple):
        inner = dict(enumerate(space.spaces))
    elif isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
        starts = np.broadcast_to(space.start, space.nvec.shape)
        return {i: (int(n), int(starts[i])) for i, n in enumerate(space.nvec)}
    elif isinstance(space, spaces.MultiBinary) and len(space.shape) == 1:
        return dict.fromkeys(range(space.shape[0]), (2, 0))
    if not all(isinstance(one, spaces.Discrete) for one in inner.values()):
        raise ValueError(
            f"the {kind} space {space} is not discrete: Discrete, MultiDiscrete, MultiBinary, and"
            " Dict or Tuple of Discrete are; wrap the Env so that it has one of these"
        )
    return {key: (int(one.n), int(one.start)) for key, one in inner.items()}
