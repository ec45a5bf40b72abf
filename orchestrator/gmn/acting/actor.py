"""An agent's side of an episode: what it believes and what it does, step by step."""

from __future__ import annotations

import warnings
from copy import copy, deepcopy
from typing import TYPE_CHECKING, cast

import numpy as np

from orchestrator.gmn.acting.queries import (
    PRIOR_WEIGHT,
    QueryAnswer,
    Question,
    Situation,
    due,
    with_preference,
    with_suggestion,
)
from orchestrator.gmn.acting.world import generator, indices, labels, unknown
from orchestrator.gmn.engine.choice import Choice, choose
from orchestrator.gmn.engine.engine import Engine
from orchestrator.gmn.engine.learning import Learner
from orchestrator.gmn.model import nfc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.gmn.acting.world import Observation, Seed
    from orchestrator.gmn.compile import Compiled
    from orchestrator.gmn.engine.engine import Beliefs
    from orchestrator.gmn.model import Query


class Actor:
    """What an agent believes and does, step by step; `Agent` makes one of a document.

    A step is `observe`, then `act`. Between any two calls it can be pickled and copied, and the
    copy goes on as the original would. One thread at a time may use it.

    Attributes:
        number: how many steps have begun since the last reset.
        surprised: how many modalities showed what the beliefs had ruled out, at this step.
        settled: whether the beliefs converged at this step.
        choice: what was chosen last, and from what; None before the first action.
        engine: what it thinks with; answered queries change its preferences, and where the model
            marks tables as learned, experience changes them.
        held: its beliefs, as the engine holds them.
        seen: index of the label of every modality at this step, None where it was not observed.
    """

    def __init__(self, engine: Engine, queries: Sequence[Query] = (), seed: Seed = 0) -> None:
        self.queries = tuple(queries)
        self._learner = Learner(engine)
        self._rng = generator(seed)
        self.reset()

    @property
    def model(self) -> Compiled:
        """The arrays it thinks with; an answered query may have changed its preferences."""
        return self.engine.model

    def reset(self, seed: Seed = None) -> None:
        """Begin an episode from the priors; without a seed the random generator goes on.

        What it has learned stays; what queries changed does not.
        """
        if seed is not None:
            self._rng = generator(seed)
        self.engine = self._learner.engine
        self._preferred: list[tuple[str, str]] = []  # answers that set a preference
        self._before: Beliefs | None = None
        self.held = self.engine.start()
        self.seen: list[int | None] = []
        self._pending: dict[str, str] = {}  # by modality: answers that the next step observes
        self._suggested: dict[str, str] = {}
        self.choice: Choice | None = None
        self._answered: set[str] = set()
        self.number = self.surprised = 0
        self.settled, self._is_observed = True, False

    def observe(self, observation: Observation) -> dict[str, dict[str, float]]:
        """Take in what is observed at this step; give the beliefs after it, as `beliefs`.

        `observation` has a label or an index by modality. What it leaves out was not observed.

        Raises:
            RuntimeError: this step was observed already.
            TypeError, ValueError: a name or a value is not one of the model's (903).
        Warns: RuntimeWarning: the beliefs had ruled it out, or did not converge (904).
        """
        self.take(observation)
        if self.surprised:
            words = "the beliefs had ruled out what is observed; that part of it is left out"
            warnings.warn(f"GMN904 at step {self.number}: {words}", RuntimeWarning, stacklevel=2)
        if not self.settled:
            words = "the mean-field beliefs did not converge"
            warnings.warn(f"GMN904 at step {self.number}: {words}", RuntimeWarning, stacklevel=2)
        return self.beliefs

    def take(self, observation: Observation) -> None:
        """`observe`, for a run that counts surprises."""
        if self._is_observed:
            raise RuntimeError(
                f"step {self.number} is observed already: give all modalities in one call of"
                " observe(), then call act()"
            )
        variables = self.model.observations
        seen = indices("observation", variables, observation)
        for m, v in enumerate(variables):
            if v.name in self._pending:
                seen[m] = v.names.index(self._pending[v.name])
        inferred = self.engine.observe(self.held, seen)
        self.held, self.seen, self._is_observed = inferred.beliefs, seen, True
        if self._learner.learned:
            done = () if self.choice is None else self.choice.action
            self._learner.update(seen, self.held, self._before, done)
            self._renew()
        self.number += 1
        self.surprised, self.settled = inferred.impossible, inferred.converged
        self._pending = {}
        self._answered = set()

    def act(self) -> dict[str, str]:
        """Choose what to do now, a label by action; the beliefs become those of the next step.

        Raises: RuntimeError: this step is not observed yet.
        """
        if not self._is_observed:
            raise RuntimeError(
                "act() needs what is observed at this step: call observe() first, with {} where"
                " nothing is"
            )
        engine = self.engine
        if self._suggested:
            engine = copy(engine)
            engine.model = with_suggestion(engine.model, self._suggested)
        choice = choose(engine, self.held, self._rng)
        self._before, self.held = self.held, self.engine.predict(self.held, choice.action)
        self.choice, self._suggested, self._is_observed = choice, {}, False
        return labels(self.model.actions, choice.action)

    def step(self, observation: Observation) -> dict[str, str]:
        """`observe`, then `act`."""
        self.observe(observation)
        return self.act()

    @property
    def beliefs(self) -> dict[str, dict[str, float]]:
        """The probability of every label of every hidden state.

        After `observe` they are the posterior of this step, after `act` and `reset` the prior of
        the next one.
        """
        return {
            v.name: dict(zip(v.names, map(float, q), strict=True))
            for v, q in zip(self.model.states, self.engine.marginals(self.held), strict=True)
        }

    def questions(self) -> tuple[Question, ...]:
        """What its queries ask a language model at this step and is not answered yet.

        Nothing asks by itself: `Orchestrator.run_agent` does, or give `answer` what you know.
        """
        if not self._is_observed or not self.queries:
            return ()
        done = () if self.choice is None else tuple(map(int, self.choice.action))
        is_in_doubt = bool(self.surprised) or not self.settled
        now = Situation(self.number, self.seen, self.engine.marginals(self.held), done, is_in_doubt)
        found = due(self.queries, self.model, now)
        return tuple(q for q in found if q.query.name not in self._answered)

    def answer(self, question: Question, answer: str) -> QueryAnswer:
        """Let the answer to a question of this step have its effect.

        Raises:
            TypeError: it is not a text, or `question` is not one.
            ValueError: it is not one of the labels, or no query of this agent asks that.
            RuntimeError: the question is not of this step, or is answered already.
        """
        self._require_due(question, answer)
        query, label = question.query, nfc(answer)
        if question.labels and label not in question.labels:
            raise ValueError(unknown(f"the answer {answer!r} is not", label, question.labels))
        self._answered.add(query.name)
        match query.effect:
            case "observe":
                self._pending[query.target] = label
            case "suggest_action":
                self._suggested[query.target] = label
            case "set_preference":
                self._preferred.append((query.target, label))
                self._renew()
            case "set_prior":
                return QueryAnswer(question, label, self._believe(query.target, label))
            case "note":
                pass
        return QueryAnswer(question, label)

    def _require_due(self, question: Question, answer: str) -> None:
        if not isinstance(cast("object", question), Question):  # callers without types
            kind = type(question).__name__
            raise TypeError(f"question is {kind}, expected one of agent.questions()")
        if not isinstance(cast("object", answer), str):
            raise TypeError(f"answer is {type(answer).__name__}, expected the text of a label")
        name = question.query.name
        if question.query not in self.queries:
            raise ValueError(f"question {name}: this agent has no such query")
        if not self._is_observed or question.step != self.number:
            raise RuntimeError(
                f"question {name} is of step {question.step}, and is answered between observe() and"
                " act() of that step; ask questions() for what is due now"
            )
        if name in self._answered:
            raise RuntimeError(f"question {name} is answered already at step {self.number}")

    def _renew(self) -> None:
        """Think with what was learned, and with the preferences that queries have set."""
        self.engine = self._learner.engine
        if self._preferred:
            model = self.engine.model
            for target, label in self._preferred:
                model = with_preference(model, target, label)
            self.engine = Engine(model)

    def _believe(self, state: str, label: str) -> bool:
        factor = next(f for f, v in enumerate(self.model.states) if v.name == state)
        believed = self.engine.marginals(self.held)[factor]
        is_it = np.array(self.model.states[factor].names) == label
        if not believed[is_it].any():
            return False
        wanted = PRIOR_WEIGHT * is_it + (1 - PRIOR_WEIGHT) * believed
        self.held = self.engine.with_marginal(self.held, factor, wanted)
        return True

    def __getstate__(self) -> dict[str, object]:
        # A copy changes none of what the original draws from or keeps for its next step.
        own = ("_rng", "_pending", "_suggested", "_answered", "_preferred", "_learner")
        return {**self.__dict__, **{name: deepcopy(self.__dict__[name]) for name in own}}
