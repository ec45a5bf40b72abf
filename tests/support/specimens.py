"""A document for every code of the catalogue, which raises that code."""

from __future__ import annotations

import json

from tests.support.documents import GOOD, plus, swapped, without

ROWS = "rows: [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]"
SHIFT = "shift moves: {left: [-1], stay: [0], right: [1]}"
PRIOR = "rows: [[0.5, 0.3, 0.2]]"
QUERY = (
    "node llm_query q { trigger: on_uncertainty trigger_value: 0.5 inputs: [place] "
    'prompt: "what is {place}?" effect: observe target: place }'
)
DICE = "{when: {pos: a}, then: {a: 0.9, b: 0.1}}, {then: {c: 1}}"


def rules(text: str) -> str:
    return swapped(ROWS, f"rules: [{text}]")


def moved(text: str) -> str:
    return swapped(SHIFT, f"rules: [{text}]")


BIG = "node state big { size: 200 }\nnode transition Bbig { from: [go, big] to: big identity }"
JSON_GOOD = {
    "states": [{"name": "s", "size": 2}],
    "observations": [{"name": "o", "size": 2}],
    "likelihoods": [{"of": "o", "given": ["s"], "table": {"kind": "identity", "noise": 0.1}}],
}

#: Exactly one of two coins shows heads. Mean-field beliefs become certain of one of the two cases,
#: so the observation of the first coin a step later can have probability 0.
RULED_OUT = """
node state first { labels: [tails, heads] }
node state second { labels: [tails, heads] }
node state time { labels: [before, after] }
node observation differ { labels: [no, yes] }
node observation shown { labels: [nothing, tails, heads] }
node action wait { labels: [wait] }
node emission A1 { from: [first, second] to: differ rules: [
  {when: {first: heads, second: tails}, then: {yes: 1}},
  {when: {first: tails, second: heads}, then: {yes: 1}}, {then: {no: 1}} ] }
node emission A2 { from: [first, time] to: shown rules: [ {when: {time: before}, then: {nothing: 1}},
  {when: {first: heads}, then: {heads: 1}}, {then: {tails: 1}} ] }
node transition B1 { from: [first] to: first identity }
node transition B2 { from: [second] to: second identity }
node transition B3 { from: [time] to: time map: [after, after] }
node belief D1 { about: first rows: [[0.6, 0.4]] }
node belief D2 { about: second rows: [[0.4, 0.6]] }
node belief D3 { about: time map: [before] }
node preference C { on: shown values: [0, 1, 0] }
node policy pi { inference: mean_field }
"""

#: code -> a document that raises it, as a finding or as a repair.
SPECIMENS: dict[str, str] = {
    "001": swapped("horizon: 2", "horizon: \u20ac 2"),
    "002": swapped("node policy pi {", "node policy pi {{"),
    "003": swapped("node belief D {", "node 5 {"),
    "004": swapped("horizon: 2", "horizon: 2 horizon: 3"),
    "005": swapped("agent walker { type: explorer }", 'agent walker { description: "open }'),
    "006": swapped("node belief D", "node beleif D"),
    "007": swapped("gamma: 8", "gamma: 8 colour: red"),
    "008": json.dumps({**JSON_GOOD, "policy": {"horizon": "3"}}),
    "009": "{'states': [],}",
    "010": json.dumps({**JSON_GOOD, "states": [{"size": 2}]}),
    "011": swapped("gmn 1.0", "gmn 7.3"),
    "012": f"Here is your model:\n```\n{GOOD}```\nEnjoy!",
    "013": "   \n",
    "014": f"{GOOD}end\nOr:\n{swapped('gamma: 8', 'gamma: 4')}end\n",
    "016": f"{GOOD}end\nnode state late {{ size: 2 }}\n",
    "101": without("node state"),
    "102": without("node observation"),
    "103": plus("node state pos { size: 3 }"),
    "104": json.dumps(
        {**JSON_GOOD, "likelihoods": [{"of": "o", "given": ["s"], "table": {"kind": "eye"}}]}
    ),
    "105": swapped("about: pos", "about: pso"),
    "106": swapped(PRIOR, "map: [B]"),
    "107": without("node emission"),
    "108": without("node transition"),
    "109": plus("node action extra { labels: [x, y] }"),
    "110": without("node action", swapped("from: [go, pos]", "from: [pos]")).replace(
        SHIFT, "identity noise: 0.1"
    ),
    "111": swapped("from: [pos] to: place", "from: [go] to: place"),
    "112": swapped("from: [pos] to: place", "from: [pos, pos] to: place"),
    "113": plus(f"node belief D2 {{ about: pos {PRIOR} }}"),
    "114": swapped("from: [go, pos] to: pos " + SHIFT, "from: [go] to: pos map: [a, b, c]"),
    "115": GOOD.replace("pos", '"my pos"'),
    "116": swapped("node state pos { labels: [a, b, c] }", "node state pos { labels: [a, a, c] }"),
    "117": plus("node state lonely { size: 2 }\nnode transition L { from: [lonely] to: lonely identity }"),
    "118": swapped("to: place", "to: [place, other]"),
    "119": swapped("about: pos", "about: [pos, place]"),
    "120": without("node belief"),
    "121": GOOD.replace("[a, b, c]", '[a, "1..2", c]'),
    "123": swapped("pos { labels: [a, b, c] }", "pos { labels: [a, b, \u0430] }"),
    "122": swapped("node state pos { labels: [a, b, c] }",
                   'node state pos { size: 3 description: "where (a, b, c)" }'),
    "124": swapped("node observation place {", "node observation place { terminal: [a]"),
    "125": swapped("node state pos {", "node state pos { terminal: [a, b, c]"),
    "201": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[0.8, 0.11, 0.1], [0.1, 0.8"),
    "202": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[1.0, 0.1, -0.1], [0.1, 0.8"),
    "203": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[NaN, 0.1, 0.1], [0.1, 0.8"),
    "204": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[0, 0, 0], [0.1, 0.8"),
    "205": swapped(ROWS, "identity noise: 10"),
    "206": swapped(ROWS, "rows: [[80, 10, 10], [10, 80, 10], [10, 10, 80]]"),
    "207": swapped(ROWS, "rows: [[8, 1, 1], [2, 9, 2], [1, 1, 8]]"),
    "208": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[1.4, 0.1, 0.1], [0.1, 0.8"),
    "209": rules("{when: {pos: a}, then: {a: 1.9, b: 0.1}}, {then: {c: 1}}"),
    "210": rules("{when: {pos: a}, then: {a: 0.89, b: 0.1}}, {then: {c: 1}}"),
    "211": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[0.9, 0.0999999, 0.0000001], [0.1, 0.8"),
    "213": rules("{then: {@stay: 1}}"),
    "214": moved("{when: {go: left}, then: {a: 1}}"),
    "215": rules("{then: {a: 0.5, b: 0.5}}, {when: {pos: a}, then: {c: 1}}"),
    "216": swapped(ROWS, "rows: [[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1]]"),
    "217": rules("{then: [{value: a, p: 0.5}, {value: a, p: 0.5}]}"),
    "218": swapped(PRIOR, f"{PRIOR} learn: true concentration: 0"),
    "219": swapped(PRIOR, f"{PRIOR} concentration: 5"),
    "301": swapped(ROWS, "rows: [[0.5, 0.5], [0.1, 0.9]]"),
    "302": swapped("node state pos { labels: [a, b, c] }", "node state pos { labels: [a, b, c] size: 4 }"),
    "303": swapped(ROWS, "rows: [[0.8, 0.3, 0.1], [0.1, 0.6, 0.1], [0.1, 0.1, 0.8]]"),
    "304": swapped("node observation place { labels: [a, b, c] }",
                   "node observation place { labels: [a, b] }").replace(ROWS, "identity")
    .replace("values: [0, 1, 3]", "values: [0, 1]"),
    "305": swapped(PRIOR, "map: [a, b]"),
    "306": swapped(SHIFT, "shift"),
    "307": swapped("stay: [0], ", ""),
    "308": GOOD.replace("{ labels: [a, b, c] }", "{ size: 3 }", 1).replace(
        "node state pos { size: 3 }", "node state pos { size: 4 }"
    ).replace(SHIFT, "rows: [[1,0,0],[1,0,0],[0,1,0],[1,0,0],[0,1,0],[0,0,1],[0,1,0],[0,0,1],[0,0,1]]"),
    "309": json.dumps(
        {
            **JSON_GOOD,
            "actions": [{"name": "u", "size": 3}],
            "transitions": [
                {"of": "s", "given": ["u", "s"],
                 "table": {"kind": "rows", "rows": [[[0.9, 0.1], [0.2, 0.8]]] * 3}}
            ],
        }
    ),
    "310": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[0.8, 0.2], [0.1, 0.8"),
    "311": swapped(SHIFT, "rows: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]"),
    "312": swapped("[0.8, 0.1, 0.1], [0.1, 0.8", "[high, 0.1, 0.1], [0.1, 0.8"),
    "401": without("node preference"),
    "402": swapped("values: [0, 1, 3]", "values: [1, 3]"),
    "403": swapped("on: place", "on: nowhere"),
    "404": swapped("on: place", "on: pos"),
    "405": swapped("values: [0, 1, 3]", "values: [0, 1, 300]"),
    "406": swapped("values: [0, 1, 3]", "values: [2, 2, 2]"),
    "407": swapped("values: [0, 1, 3]", "values: [0.2, 0.3, 0.5]"),
    "408": swapped(ROWS, "map: [a, b, b]").replace("values: [0, 1, 3]", "goals: {c: 3}"),
    "409": swapped(ROWS, "matrix: some_magic"),
    "410": swapped("horizon: 2", "horizon: 0"),
    "411": swapped("gamma: 8", "gamma: 0"),
    "412": swapped("gamma: 8", "gamma: 8 habit: {go: [1, 2]}"),
    "413": plus("node preference C2 { on: place goals: {a: 1} }"),
    "414": swapped("values: [0, 1, 3]", "goals: [{value: a, utility: 2}, {value: a, utility: -2}]"),
    "415": swapped("gamma: 8", "gamma: 8 discount: 0"),
    "416": swapped("values: [0, 1, 3]", "values: [0, 1, 3] rules: [{utility: 1}]").replace(
        "on: place", "on: go"
    ),
    "501": swapped(ROWS, "rows: [[0.6, 0.2, 0.2], [0.6, 0.2, 0.2], [0.6, 0.2, 0.2]]"),
    "502": swapped("moves: {left: [-1], stay: [0], right: [1]}",
                   "moves: {left: [0], stay: [0], right: [0]}"),
    "503": GOOD.replace("[a, b, c]", "[a, b, c, d, e, f]").replace(ROWS, "identity noise: 0.1")
    .replace(PRIOR, "map: [a]").replace("values: [0, 1, 3]", "goals: {f: 3}"),
    "504": swapped("moves: {left: [-1], stay: [0], right: [1]}",
                   "moves: {left: [-1], stay: [0], right: [0]}").replace(PRIOR, "map: [b]"),
    "505": moved("{when: {pos: a}, then: {a: 1}}, {when: {go: left}, then: {a: 1}}, {then: {@+1: 1}}")
    .replace("values: [0, 1, 3]", "values: [-4, 1, 3]"),
    "506": plus("node state w { size: 2 }\nnode transition W { from: [w] to: w identity }").replace(
        f"from: [pos] to: place {ROWS}",
        "from: [pos, w] to: place rules: [{when: {w: 1}, then: {a: 0.5, b: 0.5}}, {then: {c: 1}}]",
    ).replace("gamma: 8", "gamma: 8 inference: mean_field"),
    "507": rules("{when: {pos: a}, then: {a: 0.9, b: 0.1}}, {then: {c: 1}}").replace(
        SHIFT, "rules: [{when: {go: left}, then: {a: 1}}, {then: {c: 1}}]"
    ),
    "508": swapped("moves: {left: [-1], stay: [0], right: [1]}",
                   "moves: {left: [-1], stay: [-1], right: [1]}"),
    "509": plus("node state w { size: 2 }\nnode transition W { from: [w, pos] to: w identity }"),
    "512": swapped(ROWS, "map: [a, b, b]"),
    "513": swapped("values: [0, 1, 3]", "values: [0, 0.01, 0.02]"),
    "514": swapped(ROWS, "identity").replace(PRIOR, "map: [a]"),
    "601": plus(QUERY.replace("on_uncertainty", "on_uncertainity")),
    "602": plus(QUERY.replace("inputs: [place]", "inputs: [nothing]").replace("{place}", "it")),
    "603": plus(QUERY.replace("inputs: [place]", "inputs: [pos]")),
    "604": plus(QUERY.replace('"what is {place}?"', '""')),
    "605": plus(QUERY.replace("target: place", "target: go")),
    "606": plus(QUERY.replace("trigger_value: 0.5", "trigger_value: 5")),
    "607": plus(QUERY.replace("on_uncertainty", "on_observation")),
    "701": plus("node state huge { size: 1000000000 }"),
    "702": plus(BIG + "\nnode state big2 { size: 200 }\nnode transition B2 { from: [go, big, big2] to: big2 uniform }"),
    "703": swapped("gamma: 8", "gamma: [[[[[[[[[[8]]]]]]]]]]"),
    "704": "x" * (256 * 1024 + 1),
    "705": swapped("horizon: 2", "horizon: 12"),
    "706": plus(BIG.replace("identity", "uniform") + "\nnode emission Abig { from: [big] to: place uniform }").replace("horizon: 2", "horizon: 7"),
    "707": plus(f"node belief X {{ about: pos rules: [{', '.join(['{then: {a: 1}}'] * 200)}] }}"),
    "708": GOOD + "".join(f"node state s{i} {{ size: 2 }}\n" for i in range(9)),
    "709": GOOD + "".join(
        f"node state t{i} {{ size: 250 }}\nnode transition T{i} {{ from: [go, t{i}] to: t{i} uniform }}\n"
        for i in range(6)
    ),
    "710": swapped("node state pos { labels: [a, b, c] }",
                   f"node state pos {{ labels: [a, b, {'c' * 60}] }}"),
    "801": json.dumps(
        {
            "states": ["x", "y"], "observations": ["x", "y"], "actions": ["l", "r"],
            "parameters": {"A": [[0.9, 0.1], [0.1, 0.9]],
                           "B": [[[0.1, 0.9], [0.8, 0.2]], [[0.9, 0.1], [0.2, 0.8]]]},
        }
    ),
    "804": json.dumps({"A": [[[0.9, 0.1], [0.1, 0.9]]], "B": [[[1, 0], [0, 1]]]}),
    "805": json.dumps(
        {
            "nodes": [
                {"id": "s", "type": "state", "properties": {"num_states": 2}},
                {"id": "o", "type": "observation",
                 "properties": {"num_observations": 2, "matrix": [[0.9, 0.2], [0.1, 0.8]]}},
            ],
            "edges": [{"source": "o", "target": "s", "type": "generates"}],
        }
    ),
    "802": json.dumps({"A": [[[1, 0], [0, 1]]], "B": [[[1, 0], [0, 1]]], "F": [[1.0]]}),
    "803": json.dumps({"A": [[[1, 0], [0, 1]]], "B": [[[1, 0], [0, 1]]], "dirichlet_A": [1]}),
    "807": json.dumps({"nodes": [{"id": "s", "type": "state"}], "A": [[1, 0], [0, 1]]}),
    "806": json.dumps({"nodes": [{"id": "s", "type": "state"}], "edges": []}),
    "901": swapped("gamma: 8", "gamma: 1e308"),
    "904": RULED_OUT,
}  # fmt: skip

#: Codes whose specimen is repaired locally and then valid, without a call.
REPAIRED = (
    "006",
    "007",
    "008",
    "012",
    "104",
    "105",
    "106",
    "109",
    "110",
    "112",
    "113",
    "115",
    "121",
    "122",
    "201",
    "205",
    "206",
    "207",
    "210",
    "214",
    "215",
    "217",
    "302",
    "303",
    "307",
    "308",
    "309",
    "311",
    "406",
    "410",
    "601",
    "603",
    "705",
)

#: Codes that need more than a document (a request, or a running engine), and the file of their test.
ELSEWHERE = {
    "015": "tests/generation/test_gmn_answers.py",
    "515": "tests/security/test_work.py",
    "516": "tests/gmn/checks/test_behaviour.py",
    "517": "tests/gmn/checks/test_behaviour.py",
    "518": "tests/gmn/checks/test_behaviour.py",
    "519": "tests/gmn/checks/test_behaviour.py",
    "608": "tests/gmn/request/test_fits.py",
    "609": "tests/gmn/request/test_fits.py",
    "610": "tests/gmn/request/test_fits.py",
    "611": "tests/routing/offline/test_words.py",
    "711": "tests/gmn/test_validate.py",
    "808": "tests/gmn/imports/test_refused.py",
    "712": "tests/security/test_work.py",
    "713": "tests/security/test_work.py",
    "809": "tests/gmn/imports/test_gnn.py",
    "810": "tests/gmn/imports/test_cassandra.py",
    "811": "tests/gmn/imports/test_cassandra.py",
    "902": "tests/gmn/test_pymdp_crosscheck.py",
    "903": "tests/gmn/test_engine.py",
    "905": "tests/gmn/test_pymdp_crosscheck.py",
    "906": "tests/gmn/test_expectations.py",
    "907": "tests/generation/test_gmn_answers.py",
    "908": "tests/cli/test_learned.py",
}
