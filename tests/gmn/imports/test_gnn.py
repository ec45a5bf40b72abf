"""GNN files: the spellings that are in use, the order of B's axes by proof, broken files named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from orchestrator.gmn.imports.gnn import read
from orchestrator.gmn.validate import validate

if TYPE_CHECKING:
    from orchestrator.gmn.compile import Compiled
    from orchestrator.types.diagnostics import Diagnostic

SPACE = (
    "s[2,1,type=float]\no[2,1,type=int]\nu[1,type=int]\nA[2,2,type=float]\nB[2,2,3,type=float]\n"
)
LINKS = "D>s\ns-A\nA-o\ns-B\nB>u\nC>G\nG>π\nπ>u\n"
A = "A={(0.9, 0.2), (0.1, 0.8)}\n"
# (next, previous, action): stay, go to 0, go to 1
B = "B={((1.0, 1.0, 0.0), (0.0, 1.0, 0.0)), ((0.0, 0.0, 1.0), (1.0, 0.0, 1.0))}\n"
C, D = "C={(0.0, 2.0)}\n", "D={(0.5, 0.5)}\n"


def file_of(
    space: str = SPACE, links: str = LINKS, values: str = A + B + C + D, **more: str
) -> str:
    """A GNN file; further sections by their names."""
    sections = {
        "GNNSection": "ActInfPOMDP", "GNNVersionAndFlags": "GNN v1", "ModelName": "Little agent",
        "ModelAnnotation": "Stays or goes.", "StateSpaceBlock": space, "Connections": links,
        "InitialParameterization": values, "Time": "Time=t\nDynamic\nDiscrete", **more,
    }  # fmt: skip
    return "# GNN file\n\n" + "\n".join(f"## {name}\n\n{body}" for name, body in sections.items())


def compiled(text: str) -> Compiled:
    found = read(text)
    assert found.errors == ()
    assert all(re.match("GMN8", d.code) for d in found.notes)
    verdict = validate(found.document, run_steps=0)
    assert verdict.compiled is not None, verdict.report.errors
    return verdict.compiled


def error(text: str) -> Diagnostic:
    found = read(text)
    assert found.document == {}
    assert found.errors
    return found.errors[0]


def notes(text: str) -> str:
    return " | ".join(f"{d.code} {d.message}" for d in read(text).notes)


LITTLE = compiled(file_of())


def test_a_file_has_the_arrays_that_it_writes() -> None:
    np.testing.assert_array_equal(LITTLE.A[0], [[0.9, 0.2], [0.1, 0.8]])
    np.testing.assert_array_equal(LITTLE.B[0][:, :, 1], [[1, 1], [0, 0]])
    assert LITTLE.C[0].tolist() == [0, 2]
    assert [v.name for v in (*LITTLE.states, *LITTLE.observations, *LITTLE.actions)] == [
        "s", "o", "u",
    ]  # fmt: skip
    assert read(file_of()).document["name"] == "Little agent"
    assert read(file_of()).document["description"] == "Stays or goes."
    assert notes(file_of()) == ""


SPELLED = {
    "inline comments": file_of(
        space=SPACE.replace("\n", "   ### a comment, with [3] and =\n"),
        values=(A + B + C + D).replace("\n", "  # as the figure has it {(\n"),
    ),
    "lines and comments inside": file_of(
        values="A={\n  (0.9, 0.2), # first\n\n  ( 0.1 , 0.8 )   # second (0.3)\n}\n" + B + C + D
    ),
    "square brackets": file_of(values=(A + B + C + D).translate(str.maketrans("{}()", "[][]"))),
    "no outer braces": file_of(values=A + B + "C=(0.0, 2.0)\nD=[0.5, 0.5]\n"),
    "fractions and percentages": file_of(values=A.replace("0.9", "90%") + B + C + "D={(1/2, 1/2)}"),
    "spaces around": file_of(values=(A + B + C + D).replace("=", "  = \n ").replace(",", " ,\t")),
    "semicolons": file_of(values=(A + B + C + D).replace("\n", ";\n")),
    "exponents and signs": file_of(values=A.replace("0.9", "+9e-1") + B + C + D),
    "CRLF": file_of().replace("\n", "\r\n"),
    "one hash for a section": file_of().replace("## StateSpaceBlock", "# StateSpaceBlock"),
    "case of sections": file_of().replace("## StateSpaceBlock", "## statespaceblock"),
    "fences": file_of().replace("A={", "```\nA={").replace("## Time", "```\n## Time"),
    "bullets": file_of(space="".join(f"- {line}\n" for line in SPACE.splitlines())),
    "types": file_of(space=SPACE.replace("type=float", "float").replace("[2,2,float]", "[2, 2]")),
    "defaults beside values": file_of(
        space=SPACE.replace("type=float", "type=float,default=zeros")
    ),
    "named sides": file_of(
        space="s[num_states,1,type=float]\no[num_obs,1,type=int]\n", ModelParameters="num_obs: 2"
    ),
    "undeclared tables": file_of(space="s[2,1]\no[2,1]\n"),
    "more variables": file_of(
        space=SPACE + "s_prime[2,1,type=float]\nG[π,type=float]\nF[1]\nt[1,type=int]\nπ[3]\n"
    ),
    "next states of all names": file_of(space=SPACE + "s'[2,1]\ns_t+1[2,1]\ns_next[2,1]\n"),
    "time indices": file_of(
        space=SPACE.replace("s[", "s_t[").replace("o[", "o_t["), links="D>s_t\n(s_t, u)>B\ns_t-A\n"
    ).replace("s_t[2,1,type=float]", "s_t[2,1,type=float]\ns_t+1[2,1]"),
    "tuples and labels": file_of(links="(D)>(s):prior\n(s, u)>B:moves\ns>A>o\n"),
    "arrows": file_of(links="D->s\ns -> A\nA → o\ns<->B\nu > B | s\n"),
    "no links": file_of(links=""),
    "headers without blank lines": re.sub(r"\n\n+", "\n", file_of()),
    "equations with numbers": file_of(Equations="A={(0.5, 0.5)}\ns[9] = softmax(A[2,2])"),
    "annotations": file_of(ActInfOntologyAnnotation="A=LikelihoodMatrix\nB=TransitionMatrix"),
    "action first": file_of(values=A + "B={((1,0),(0,1)), ((1,1),(0,0)), ((0,0),(1,1))}\n" + C + D),
    "action, previous, next": file_of(
        values=A + "B={((1,0),(0,1)), ((1,0),(1,0)), ((0,1),(0,1))}\n" + C + D
    ),
    "declared order": file_of(
        values=A + "B={((1,0),(0,1)), ((1,0),(1,0)), ((0,1),(0,1))}\n" + C + D,
        ModelParameters="b_tensor_order: action_previous_state_next_state",
    ),
    "declared order in short": file_of(ModelParameters="b_tensor_order: next-prev-action # as is"),
    "a vector of vectors": file_of(values=A + B + "C={((0.0), (2.0))}\nD={((0.5),(0.5))}\n"),
    "E that is uniform": file_of(values=A + B + C + D + "E={(0.33333, 0.33333, 0.33333)}\n"),
    "E of zeros": file_of(values=A + B + C + D + "E={(0, 0, 0)}\n"),
}


@pytest.mark.parametrize("spelling", sorted(SPELLED))
def test_every_spelling_is_the_same_model(spelling: str) -> None:
    model = compiled(SPELLED[spelling])
    for key in ("A", "B", "C", "D"):
        for ours, theirs in zip(getattr(LITTLE, key), getattr(model, key), strict=True):
            np.testing.assert_allclose(theirs, ours, atol=1e-12)
    np.testing.assert_allclose(model.E, LITTLE.E)


TMAZE_SPACE = """s_loc[3,1]  # centre, left, right
s_ctx[2,1]
o_loc[3,1,type=int]
o_rew[4,1,type=int]
A_loc[3,3]
A_rew[4,3,2]
B_loc[3,3,3]
B_ctx[2,2,1]
C_rew[4]
D_loc[3]
D_ctx[2]
pi[3,type=float]
u[1,type=int]
"""
TMAZE_VALUES = """A_loc={(1,0,0),(0,1,0),(0,0,1)}
A_rew={
  ((1,1), (0,0), (0,0)),
  ((0,0), (0.9,0.1), (0.1,0.9)),
  ((0,0), (0.1,0.9), (0.9,0.1)),
  ((0,0), (0,0), (0,0))
}
B_loc={
  ((1,0,0), (1,0,0), (1,0,0)),
  ((0,1,0), (0,1,0), (0,1,0)),
  ((0,0,1), (0,0,1), (0,0,1))
}
B_ctx={((1.0),(0.0)), ((0.0),(1.0))}
C_rew={(0, 3, -3, 0)}
D_loc={(1,0,0)}
D_ctx={(0.5,0.5)}
"""
TMAZE_LINKS = "s_loc-A_loc\nA_loc-o_loc\n(s_loc,s_ctx)-A_rew\nA_rew-o_rew\ns_loc-B_loc\nB_loc>u\n"
TMAZE = file_of(TMAZE_SPACE, TMAZE_LINKS, TMAZE_VALUES)


def test_several_factors_and_modalities_depend_on_what_they_are_linked_to() -> None:
    model = compiled(TMAZE)
    assert [s.name for s in model.states] == ["s_loc", "s_ctx"]
    assert model.A_dependencies == ((0,), (0, 1))
    assert model.B_action_dependencies == ((0,), ())
    assert model.A[1].shape == (4, 3, 2)
    np.testing.assert_array_equal(model.A[1][:, 1, 0], [0, 0.9, 0.1, 0])
    np.testing.assert_array_equal(model.B[0][:, 0, 2], [0, 0, 1])
    assert [v.tolist() for v in model.C] == [[0, 0, 0], [0, 3, -3, 0]]


def test_states_that_no_link_names_are_found_by_their_sizes() -> None:
    without = file_of(TMAZE_SPACE, "", TMAZE_VALUES)
    model = compiled(without)
    assert model.A_dependencies == ((0,), (0, 1))
    twins = without.replace("s_ctx[2,1]", "s_ctx[2,1]\ns_more[3,1]\nD_more[3]")
    found = error(twins.replace("D_ctx={", "D_more={(1,0,0)}\nD_ctx={"))
    assert found.code == "GMN809"
    assert "A_loc fits the states (s_loc) or (s_more)" in found.message


def test_a_factor_may_move_with_another_and_share_an_action() -> None:
    space = "s_a[2,1]\ns_b[3,1]\no_x[2,1]\nA_x[2,2]\nB_a[2,2,2]\nB_b[3,2,3,2]\nu[2,1,type=int]\n"
    stay = np.eye(3)[:, None, :, None] * np.ones((3, 2, 3, 2))
    nested = str(stay.tolist()).translate(str.maketrans("[]", "()"))
    values = (
        "A_x={(1,0),(0,1)}\nB_a={((1,0),(1,0)),((0,1),(0,1))}\n"
        f"B_b={{{nested[1:-1]}}}\nD_a={{(1,0)}}\nD_b={{(1,0,0)}}\n"
    )
    links = "s_a-A_x\nA_x-o_x\n(s_a,u)>B_a\n(s_a,s_b,u)>B_b\n"
    model = compiled(file_of(space, links, values))
    assert model.B_dependencies == ((0,), (0, 1))
    assert model.B_action_dependencies == ((0,), (0,))
    assert len(model.actions) == 1


def test_actions_that_the_file_does_not_name_are_one_for_each_factor() -> None:
    space = "s_f0[2,1]\ns_f1[3,1]\no_m0[2,1]\nπ_f1[3,type=float]\nu_f1[1,type=int]\n"
    moved = "(((1,1,1),(0,0,0),(0,0,0)),((0,0,0),(1,1,1),(0,0,0)),((0,0,0),(0,0,0),(1,1,1)))"
    values = f"A_m0={{(1,0),(0,1)}}\nB_f0={{((1),(0)),((0),(1))}}\nB_f1={{{moved[1:-1]}}}\n"
    links = "(s_f0)-(A_m0)\n(s_f0,s_f1,u_f1)-(B_f0,B_f1) # u_f1 moves B_f1\n"
    text = file_of(space, links, values)
    model = compiled(text)
    assert "GMN801 B_f1 sums to 1 as (next, s_f1, action) or (action, next, s_f1)" in notes(text)
    np.testing.assert_array_equal(model.B[1][:, :, 2], np.eye(3))
    assert [u.name for u in model.actions] == ["u_f1"]
    assert model.B_action_dependencies == ((), (0,))


STATIC = "s[2,1]\no[2,1]\nA[2,2]\nD[2]\n"


@pytest.mark.parametrize(
    ("space", "values", "b"),
    [
        (STATIC, A + D, [[1, 0], [0, 1]]),
        (STATIC + "B[2,2]\n", A + D + "B={(0.7, 0.4), (0.3, 0.6)}\n", [[0.7, 0.4], [0.3, 0.6]]),
        (STATIC + "B[2,2]\n", A + D + "B={(0.7, 0.3), (0.4, 0.6)}\n", [[0.7, 0.4], [0.3, 0.6]]),
        (STATIC + "B[2,2,1]\n", A + D + "B={((0.7,0.4),(0.3,0.6))}\n", [[0.7, 0.4], [0.3, 0.6]]),
    ],
)
def test_a_model_without_actions_is_passive(space: str, values: str, b: list[list[float]]) -> None:
    text = file_of(space, "D>s\ns-A\nA-o\n", values, Time="Static")
    model = compiled(text)
    assert model.B_action_dependencies == ((),)
    np.testing.assert_array_equal(model.B[0], b)


def test_an_order_of_the_axes_that_only_one_proof_allows_is_said() -> None:
    assert "B is written (action, next, s)" in notes(SPELLED["action first"])
    assert "B is written (action, s, next)" in notes(SPELLED["action, previous, next"])
    assert notes(SPELLED["declared order"]) == ""
    rows = file_of(values="A={(0.9, 0.1), (0.2, 0.8)}\n" + B + C + D)
    assert "A is written (s, o), the only order in which its columns sum to 1" in notes(rows)
    np.testing.assert_array_equal(compiled(rows).A[0], LITTLE.A[0])


CUBE = SPACE.replace("B[2,2,3", "B[2,2,2")


def test_orders_that_mean_the_same_model_are_a_note_and_others_an_error() -> None:
    same = file_of(CUBE, values=A + "B={((0.7,0.3),(0.3,0.7)),((0.3,0.7),(0.7,0.3))}\n" + C + D)
    assert "GMN810 B is the same model read as next_state_previous_state_action and" in notes(same)
    differ = file_of(CUBE, values=A + "B={((0.9,0.1),(0.1,0.9)),((0.1,0.9),(0.9,0.1))}\n" + C + D)
    assert "same model" in notes(differ)
    three = SPACE.replace("2,2,3", "3,3,3").replace("s[2", "s[3").replace("A[2,2", "A[2,3")
    turn = "B={((1,0,0),(0,0,1),(0,1,0)),((0,1,0),(1,0,0),(0,0,1)),((0,0,1),(0,1,0),(1,0,0))}\n"
    text = file_of(three, values="A={(1,0,0),(0,1,1)}\n" + turn + C + "D={(1,0,0)}\n")
    found = error(text)
    assert found.code == "GMN809"
    for order in ("(next, s, action)", "(action, s, next)", "(action, next, s)"):
        assert order in found.message
    assert found.place is not None
    for order in (
        "next_state_previous_state_action", "action_previous_state_next_state",
        "action_next_state_previous_state",
    ):  # fmt: skip
        one = compiled(text + f"\n## ModelParameters\nb_tensor_order: {order}\n")
        np.testing.assert_array_equal(one.B[0].sum(axis=0), np.ones((3, 3)))


def test_habits_labels_planning_and_precision_are_read() -> None:
    text = file_of(
        values=A + B + C + D + "E={(0.2, 0.3, 0.5)}\n\u03b3={(4.0)}\n",
        ModelParameters=(
            'action_labels: [stay, \'left\', "right"]\nstate_labels: ["a", "b"]\n'
            "o_labels: x, y   # what is seen\nplanning_horizon: 2\ndiscount: 0.9\nu_name: go\n"
        ),
    )
    model = compiled(text)
    assert model.actions[0].name == "go"
    assert model.actions[0].names == ("stay", "left", "right")
    assert (model.states[0].names, model.observations[0].names) == (("a", "b"), ("x", "y"))
    assert (model.horizon, model.gamma, model.discount) == (2, 4.0, 0.9)
    np.testing.assert_allclose(model.E.reshape(3, 3).sum(axis=1), [0.2, 0.3, 0.5])
    logs = file_of(values=A + B + C + D + "E={(-1.609438, -1.203973, -0.693147)}\n")
    np.testing.assert_allclose(compiled(logs).E, [0.2, 0.3, 0.5], atol=1e-6)
    assert "E read as logarithms" in notes(logs)


def test_the_length_of_a_run_is_not_how_far_plans_look() -> None:
    text = file_of(Time="Dynamic\nDiscreteTime=t\nModelTimeHorizon=30  # steps")
    assert compiled(text).horizon == 1
    assert "ModelTimeHorizon=30 is how long a run lasts" in notes(text)
    assert notes(file_of(Time="Dynamic\nModelTimeHorizon=Unbounded")) == ""


def test_counts_of_a_dirichlet_prior_are_learned() -> None:
    counts = "dirichlet_A={(3.0, 1.0), (1.0, 3.0)}\n"
    text = file_of(values=A + B + C + D + counts)
    model = compiled(text)
    np.testing.assert_allclose(model.A[0], [[0.75, 0.25], [0.25, 0.75]])
    assert [(one.kind, one.concentration) for one in model.learned] == [("A", 4.0)]
    assert "GMN811 the agent begins with the counts of A" in notes(text)
    same = file_of(values=A.replace("0.9, 0.2", "0.75, 0.25").replace("0.1, 0.8", "0.25, 0.75")
                   + B + C + D + counts)  # fmt: skip
    assert notes(same) == ""
    uneven = error(text.replace("(3.0, 1.0)", "(5.0, 1.0)"))
    assert uneven.code == "GMN802"
    assert "sum to 4 in one column and to 6 in another" in uneven.message
    both = file_of(values=A + B + C + D + "pB={((2,2,0),(0,2,0)),((0,0,2),(2,0,2))}\npD={(3,3)}\n")
    assert [one.kind for one in compiled(both).learned] == ["B", "D"]


def test_what_fills_a_declaration_is_a_value_too() -> None:
    space = SPACE.replace("A[2,2,type=float]", "A[2,2,type=float,default=eye]")
    model = compiled(file_of(space + "D[2,type=float,default=uniform]\n", values=B + C))
    np.testing.assert_array_equal(model.A[0], np.eye(2))
    np.testing.assert_array_equal(model.D[0], [0.5, 0.5])
    assert compiled(file_of(values="A=uniform\n" + B + C + D)).A[0].tolist() == [[0.5, 0.5]] * 2


def test_numbers_are_scaled_within_their_printed_digits_alone() -> None:
    space = SPACE.replace("s[2", "s[3").replace("A[2,2", "A[2,3").replace("B[2,2,3", "B[3,3,1")
    values = "A={(0.9,0.2,0.5),(0.1,0.8,0.5)}\nB={((1,0,0),(0,1,0),(0,0,1))}\n"
    text = file_of(space, "s-A\n", values + "D={(0.33333, 0.33333, 0.33333)}\n")
    np.testing.assert_allclose(compiled(text).D[0], np.full(3, 1 / 3), atol=1e-12)
    assert "D sums to 0.99999 in its printed digits" in notes(text)
    assert "D sums to 0.9, not 1" in error(text.replace("0.33333", "0.3")).message
    third = text.replace("0.9,0.2,0.5", "0.33,0.2,0.5").replace("0.1,0.8,0.5", "0.67,0.8,0.496")
    assert "columns scaled within their printed digits, as column (s=2)" in notes(third)


WRONG = {
    (A, "A={(0.9, 0.2), (0.1, 0.7)}\n"): "GMN201 A: column (s=1) sums to 0.9",
    (A, "A={(0.9, 0.2), (0.3, 0.7)}\n"): "GMN201 A: column (s=0) sums to 1.2; column (s=1)",
    (A, "A={(0.9, 0.2, 0.1), (0.1, 0.8)}\n"): "GMN310 A is ragged here: (2,), (3,)",
    (A, "A={(0.9, 0.2, 0.1), (0.1, 0.8, 0.9)}\n"): "GMN301 A is 2 x 3, which is not 2 values of o",
    (A, "A={(0.9, x), (0.1, 0.8)}\n"): "GMN008 'x' in A is not a number",
    (A, "A={(0.9, 1/0), (0.1, 0.8)}\n"): "GMN008 '1/0' in A is not a number",
    (A, "A={(0.9, 0.2), (0.1, 0.8)\n"): "GMN005 the value of A is never closed",
    (A, "A={(0.9, 0.2], (0.1, 0.8)}\n"): "GMN002 '(' of A is closed by ']'",
    (A, "A={}\n"): "GMN310 a pair of brackets of A is empty",
    (A, A + A): "GMN004 A is given twice",
    (A, ""): "GMN010 A is declared, but InitialParameterization gives it no value",
    (A, "A=random\n"): "GMN008 A is filled with 'random'",
    (B, ""): "GMN010 B is declared, but InitialParameterization gives it no value",
    (B, B.replace("(1.0, 0.0, 1.0)", "(1.0, 0.5, 1.0)")):
        "GMN201 B: column (action=1, s=1) sums to 1.5",
    (B, "B={((1,0),(0,1))}\n"): "",
    (B, "B={" + ",".join(["((1,1,0),(0,1,0)),((0,0,1),(1,0,1))"] * 4) + "}\n"): "GMN301 B is 8 x 2",
    (B, "B={" + ",".join(["(((1,1,0),(0,1,0)),((0,0,1),(1,0,1)))"] * 4) + "}\n"):
        "GMN802 B is 4 x 2 x 2 x 3: a table that changes with time",
    (B, "B={((1,0,0),(0,1,0)),((0,0,1),(1,0,1)),((0,0,1),(1,0,1))}\n"): "GMN301 B is 3 x 2 x 3",
    (C, "C={(0.0, 2.0, 1.0)}\n"): "GMN402 C has 3 numbers for the 2 values of o",
    (D, "D={(0.5, 0.2)}\n"): "GMN201 D sums to 0.7, not 1",
    (D, "D={(1.5, -0.5)}\n"): "GMN201 D sums to 1, not 1",
    (D, D + "E={(0.5, -0.3, 0.2)}\n"): "GMN412 E is neither weights nor logarithms",
    (D, D.replace("{", "{" * 12)): "GMN703 D is nested deeper",
    ("s[2,1,type=float]", "x[2,1,type=float]"): "",
    ("o[2,1,type=int]", "o[5,1,type=int]"): "GMN301 A is 2 x 2, which is not 5 values of o",
    (SPACE, SPACE + "A[9,9,type=float]\n"): "GMN004 A is declared twice, with other sides",
    ("GNN v1", "GNN v1\n\n## ModelName\n\nanother"): "GMN014 section ModelName stands twice",
    ("Dynamic\nDiscrete", "Dynamic\nContinuous"): "GMN802 a model in continuous states or time",
    ("Time=t", "num_agents: 3"): "GMN802 num_agents: 3; write a file for each",
    (SPACE, SPACE + "s_level2[3,1]\n"): "GMN802 s_level2 belongs to one of several levels",
    (A + B + C + D, ""): "GMN806 no section InitialParameterization gives numbers",
}  # fmt: skip


@pytest.mark.parametrize("change", sorted(WRONG))
def test_what_is_wrong_is_named_where_it_stands(change: tuple[str, str]) -> None:
    assert change[0] in file_of()
    text, expected = file_of().replace(*change, 1), WRONG[change]
    if not expected:
        assert read(text).errors == ()
        return
    found = error(text)
    assert f"{found.code} {found.message}".startswith(expected)


def test_a_table_that_is_only_linked_is_missing_and_many_factors_are_too_many() -> None:
    found = error(file_of(STATIC, "s>B\ns-A\n", A + D))
    assert (found.code, found.message) == ("GMN010", "B is linked, but has no value")
    many = "".join(f"s_f{i}[2,1]\n" for i in range(40))
    assert error(file_of(many + "o[2,1]\n", "", A)).code == "GMN708"


def test_what_is_left_out_is_said() -> None:
    text = file_of(
        space=SPACE + "C[2,type=float]\n", values=A + B + D + "tau={(0.1)}\nsome words\n"
    )
    assert "GMN803 C is declared without a value" in notes(text)
    assert "tau of InitialParameterization ignored" in notes(text)
    assert "'some words' in InitialParameterization ignored" in notes(text)
    passive = file_of(STATIC + "u[1,type=int]\n", "s-A\n", A + D)
    assert "GMN803 u moves no state factor" in notes(passive)
    four = file_of(ModelParameters="num_actions: 4")
    assert "GMN803 the file says 4 actions elsewhere, B has others" in notes(four)
    odd = file_of(values=A + B + C + D + "E={(0.2, 0.8)}\n")
    assert "E ignored: its 2 numbers are not one for each u" in notes(odd)


def test_a_declared_size_is_not_allocated() -> None:
    huge = file_of("s[1000000000,1]\no[2,1]\nA[2,1000000000,type=float,default=uniform]\n", "", D)
    assert error(huge).code == "GMN702"
    sides = file_of("s[1000000000,1]\no[2,1]\nA[2,2]\nD[2]\n", "", A)
    assert error(sides).code == "GMN301"
    assert error("## StateSpaceBlock\n" + "s[2]\n" * 300_000).code == "GMN704"
    assert error(file_of(values="A={" + "(" * 100_000)).code == "GMN703"


def test_a_link_to_what_nothing_declares_is_said() -> None:
    assert "Connections name sun, which nothing declares" in notes(file_of(links=f"{LINKS}sun>B\n"))
    assert "Connections" not in notes(file_of())


def test_a_side_that_is_not_a_number_is_read_from_tables_and_said() -> None:
    assert "a side of s is not a number" in notes(file_of(SPACE.replace("s[2", "s[many")))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("s[2", f"s[{'9' * 13}"), "GMN701"),
        (("s[2,1,type=float", "s[2,1,type=continuous"), "GMN802"),
    ],
)
def test_a_size_beyond_all_bounds_and_a_continuous_state_are_refused(
    change: tuple[str, str], code: str
) -> None:
    assert error(file_of(SPACE.replace(*change))).code == code
