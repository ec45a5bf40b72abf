"""How large a document may be; compared in Python integers before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one document. The defaults suit a document written by a model.

    Attributes:
        document_bytes: size of the text.
        nesting: depth of brackets and braces.
        variables, states, observations, actions: how many may be declared.
        variable_size: values of one variable.
        label_length: characters of a name or label.
        parents: parents of one table.
        table_entries, total_entries: numbers that are kept of one table and of all of them: those
            of the expanded table, or of a transition its possible outcomes where they are fewer
            than one in 32.
        written_numbers: numbers spelled out in the text.
        rules: rules of one table.
        rule_work: contexts times rules of one table.
        horizon, policies: steps looked ahead; action sequences compared.
        contingent_horizon: steps looked ahead by contingent plans, which are bounded by their
            branches when they are made (`engine.contingent`).
        planning_bytes: policies times the largest transition per action as it is kept, at 4 bytes a
            number.
        queries, prompt_bytes: how many queries, and the length of one prompt.
        search_states: joint states of graph searches in lints.
        simulation_steps: steps of one run.
        parts: entries of one section, goals of one preference, or labels of one list.
        findings: how many are listed.
        work: steps that judging may take, each about a microsecond.
    """

    document_bytes: int = 256 * 1024
    nesting: int = 8
    variables: int = 24
    states: int = 8
    observations: int = 12
    actions: int = 4
    variable_size: int = 512
    label_length: int = 48
    parents: int = 5
    table_entries: int = 200_000
    total_entries: int = 1_000_000
    written_numbers: int = 20_000
    rules: int = 128
    rule_work: int = 2_000_000
    horizon: int = 8
    policies: int = 4096
    contingent_horizon: int = 32
    planning_bytes: int = 256 * 1024 * 1024
    queries: int = 8
    prompt_bytes: int = 4 * 1024
    search_states: int = 4096
    simulation_steps: int = 1000
    parts: int = 512
    findings: int = 100
    work: int = 40_000_000


DEFAULT_LIMITS = Limits()

#: The most that a caller may raise the limits to without a patch of this file.
HARD_LIMITS = Limits(
    document_bytes=1024 * 1024,
    variables=64,
    states=16,
    observations=24,
    actions=8,
    variable_size=1024,
    parents=8,
    table_entries=1_000_000,
    total_entries=4_000_000,
    written_numbers=1_000_000,
    rules=512,
    horizon=16,
    policies=20_000,
    contingent_horizon=64,
    planning_bytes=512 * 1024 * 1024,
    simulation_steps=10_000,
    parts=4096,
    work=400_000_000,
)
