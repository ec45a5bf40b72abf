"""What the words of the language mean, a sentence each, and which values a property takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from orchestrator.gmn import model
from orchestrator.types.requests import AgentType

if TYPE_CHECKING:
    from collections.abc import Mapping

STATEMENTS: Mapping[str, str] = {
    "gmn": "The version of the language: `gmn 1.0`, the first line.",
    "agent": "The agent: its type, a description and metadata.",
    "node": "A part of the model: `node TYPE NAME { … }`.",
    "end": "The end of the document; a text without it may have been cut off.",
}

NODES: Mapping[str, str] = {
    "state": "A hidden state factor: what the world is in, and the agent infers.",
    "observation": "An observation modality: what the agent senses at every step.",
    "action": "An action factor: what the agent can do at every step.",
    "emission": "The likelihood P(observation | states): one for each observation.",
    "transition": "The dynamics P(next state | actions, states): what a step changes.",
    "belief": "The prior P(state) at the first step; uniform where there is none.",
    "preference": "What an observation, a state or an action is worth, in nats.",
    "policy": "How actions are chosen: how far the agent looks ahead, how precisely it decides.",
    "llm_query": "A question that the running agent puts to a language model.",
}

_TABLE: Mapping[str, str] = {
    "given": "The parents, in order: the first one varies slowest among the rows.",
    "of": "The variable that the table is about.",
    "rows": "One distribution for each context of the parents, in C order; every row sums to 1.",
    "map": "One label for each context of the parents: it happens for certain.",
    "identity": "The same label as the parent of equal size.",
    "uniform": "Every label is equally likely.",
    "shift": "Steps along a line: each action label moves by so many places.",
    "grid": "Steps on a grid: each action label moves by so many rows and columns.",
    "moves": "Where each action label leads: one step for each axis of the shape.",
    "rules": "A decision list: the first rule whose every condition holds gives the row.",
    "boundary": "What happens at the edge of a grid: stay, clamp or wrap.",
    "blocked": "Labels that cannot be entered: walls.",
    "noise": "Probability in [0, 1] that is taken from the table after it is expanded.",
    "noise_kind": "Where the noise goes: over all labels, over the others, or to staying.",
    "kind": "Which of its fields the table is made of.",
    "noisy_identity": "The probability of the parent's label; the others share the rest.",
    "stay": "The next value is the previous one.",
    "sparse": "Entries `[context…, outcome, p]`; what is not listed has probability 0.",
    "learn": "Whether experience changes the table.",
    "concentration": "How many observations each row is worth before any is made, above 0.",
    "description": "What it stands for, in words; no part of the model.",
}  # fmt: skip
_VARIABLE: Mapping[str, str] = {
    "labels": "One name for each value, in order.",
    "size": "The number of values; not needed beside labels or a shape.",
    "shape": "The sides of a grid; its labels are r0c0, r0c1, … unless others are listed.",
    "terminal": "Labels of a state at which everything ends.",
    "description": "What it stands for, in words; no part of the model.",
    "initial": "The state's prior: a label, a row, or uniform.",
}

PROPERTIES: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("state", "observation", "action"), _VARIABLE),
    **dict.fromkeys(("emission", "transition", "belief"), _TABLE),
    "preference": {
        "on": "The observation, state or action that is valued; or several states and actions.",
        "given": "Further states and actions that the rules ask for.",
        "values": "One utility in nats for each label, in order.",
        "goals": "Utilities in nats by label; the others are worth 0.",
        "goal_gradient": "A utility that falls with the number of steps to the goal.",
        "rules": "A decision list: the first rule whose every condition holds gives the utility.",
        "reason": "Why, in words; no part of the model.",
        "preferred_observation": "A single label that is preferred.",
        "preference_strength": "Its utility in nats.",
    },
    "policy": {
        "horizon": "Steps looked ahead, at least 1.",
        "gamma": "Precision over policies, above 0: the higher, the more the best one is chosen.",
        "selection": "The best action, a sample, or the best plan that branches on observations.",
        "info_gain": "Whether expected information gain about states counts.",
        "discount": "What a nat is worth one step later, in (0, 1].",
        "inference": "Exact, by mean field, or exact wherever the joint of what meets is small.",
        "habit": "Weights over the labels of an action, before anything is inferred.",
        "description": "What it stands for, in words; no part of the model.",
    },
    "llm_query": {
        "trigger": "When the question is asked.",
        "trigger_value": "The threshold or the number of steps of the trigger.",
        "inputs": "The variables that the prompt may name as `{name}`.",
        "prompt": "The question; `{name}` stands for the value of an input.",
        "effect": "What is done with the answer.",
        "target": "The variable whose label the answer is.",
    },
    "agent": {
        "agent_type": "The kind of agent: explorer, trader, coordinator or general.",
        "description": "What it does, in words; no part of the model.",
        "metadata": "Notes by name; `expect` holds expectations that can be measured.",
    },
}

#: Keys of blocks that stand inside a property, by the last of the keys that lead there.
INNER: Mapping[str, Mapping[str, str]] = {
    "rules": {
        "when": "The conditions of a rule, by parent; a rule without any always applies.",
        "then": "The outcomes of a rule with their probabilities, which sum to 1.",
        "utility": "What it is worth in nats.",
    },
    "goal_gradient": {
        "goal": "The label that is sought.",
        "utility": "What the goal is worth in nats.",
        "decay": "What is left of it one step away, in [0, 1].",
    },
    "metadata": {
        "expect": "Expectations, such as `cell=r4c4 within 14 in 80%`; several with `;` between.",
        "prompt": "The sentence that the model was made from.",
        "assumptions": "What was taken for granted.",
    },
}

#: The words that a property takes, by its canonical key.
VALUES: Mapping[str, tuple[str, ...]] = {
    "boundary": get_args(model.Boundary), "noise_kind": get_args(model.NoiseKind),
    "kind": get_args(model.TableKind), "selection": get_args(model.Selection),
    "inference": get_args(model.Inference), "trigger": get_args(model.Trigger),
    "effect": get_args(model.Effect), "agent_type": get_args(AgentType),
    **dict.fromkeys(("info_gain", "learn"), ("true", "false")),
}  # fmt: skip
#: Properties that are whole without a value.
FLAGS = frozenset({"identity", "uniform", "grid", "shift", "stay"})
#: How canonical keys are written where that is another word.
SPELLED: Mapping[str, Mapping[str, str]] = {
    "emission": {"given": "from", "of": "to"}, "transition": {"given": "from", "of": "to"},
    "belief": {"given": "from", "of": "about"}, "agent": {"agent_type": "type"},
}  # fmt: skip
#: Canonical keys that are read and not written: there is a plainer way to say the same.
OLD = frozenset({"preferred_observation", "preference_strength", "sparse", "kind"})
