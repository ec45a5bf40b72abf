"""The process `orchestrator lsp`: what is on its streams, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.server.lsp.stdio import MOST_MESSAGE, Frames, FramingError
from tests.support.documents import GOOD, swapped
from tests.support.lsp import INITIALIZE, URI

pytestmark = pytest.mark.may_block
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
BYE = {"jsonrpc": "2.0", "id": 2, "method": "shutdown"}
EXIT = {"jsonrpc": "2.0", "method": "exit"}


def framed(*messages: Any) -> bytes:
    bodies = [m if isinstance(m, bytes) else json.dumps(m).encode() for m in messages]
    return b"".join(b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies)


def opening(text: str) -> dict[str, Any]:
    item = {"uri": URI, "languageId": "gmn", "version": 1, "text": text}
    return {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": item}}


def messages(raw: bytes) -> list[dict[str, Any]]:
    """The messages of a stream that holds nothing else."""
    found = []
    while raw:
        head = re.match(rb"Content-Length: (\d+)\r\n\r\n", raw)
        assert head, raw[:200]
        end = head.end() + int(head[1])
        found.append(json.loads(raw[head.end() : end]))
        raw = raw[end:]
    return found


def started(**options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "orchestrator", "lsp"]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def ran(sent: bytes) -> tuple[int, list[dict[str, Any]], bytes]:
    """The exit code, the messages and stderr of a server whose client sends this and leaves."""
    process = started()
    out, err = process.communicate(sent, timeout=60)
    return process.returncode, messages(out), err


def test_the_end_of_stdin_ends_the_process() -> None:
    code, said, err = ran(framed(HELLO))
    assert (code, [one["id"] for one in said], err) == (0, [1], b"")


@pytest.mark.parametrize(
    ("sent", "code"), [((HELLO, BYE, EXIT), 0), ((HELLO, EXIT), 1), ((EXIT,), 1)]
)
def test_the_exit_code_says_whether_the_client_asked_for_the_end_first(
    sent: tuple[Any, ...], code: int
) -> None:
    assert ran(framed(*sent))[0] == code


def test_sigint_ends_the_process_though_the_client_says_nothing() -> None:
    process = started(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(framed(HELLO))
    process.stdin.flush()
    assert process.stdout.read(10) == b"Content-Le"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    process.stdin.close()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b"interrupted\n"
    process.stderr.close()


def test_sigint_ends_a_process_whose_client_does_not_read() -> None:
    process = started(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert process.stdin is not None
    hover = {"jsonrpc": "2.0", "id": 3, "method": "nothing/such", "params": {"x": "y" * 1000}}
    process.stdin.write(framed(HELLO))
    process.stdin.flush()
    assert process.stdout is not None
    assert process.stdout.read(10) == b"Content-Le"
    os.set_blocking(process.stdin.fileno(), False)
    for _ in range(2000):  # until the pipes both ways are full
        if not process.stdin.raw.write(framed(hover)):  # type: ignore[attr-defined]  # a raw file
            break
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()
    process.stdin.close()


def test_nothing_but_the_protocol_is_on_stdout(tmp_path: Path) -> None:
    program = (
        "import sys, orchestrator.gmn.validate as v\n"
        "real = v.validate\n"
        "import orchestrator.server.lsp.findings as f\n"
        "def loud(*a, **k):\n"
        "    print('printed'); sys.stdout.flush(); return real(*a, **k)\n"
        "f.validate = loud\n"
        "from orchestrator.cli.main import main\n"
        "sys.exit(main(['lsp']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(framed(HELLO, opening(GOOD)))
    process.stdin.flush()
    raw = b""
    while b"publishDiagnostics" not in raw or not raw.endswith(b"}"):
        raw += os.read(process.stdout.fileno(), 65_536)
    out, err = process.communicate(timeout=60)
    assert [one.get("method", one.get("id")) for one in messages(raw + out)] == [
        1, "textDocument/publishDiagnostics",
    ]  # fmt: skip
    assert err == b"printed\n"


def test_litellm_is_not_loaded() -> None:
    program = (
        "import sys\nfrom orchestrator.server.lsp.stdio import serve\ncode = serve()\n"
        "print([m for m in ('litellm', 'fastapi', 'uvicorn', 'sqlalchemy') if m in sys.modules])"
    )
    ran_it = subprocess.run(
        [sys.executable, "-c", program], input=framed(HELLO, opening(GOOD)), timeout=60,
        capture_output=True, check=True,
    )  # fmt: skip
    assert ran_it.stdout.endswith(b"}[]\n")


def test_without_the_extra_the_command_names_it() -> None:
    program = (
        "import sys\nsys.modules['pygls'] = None\n"
        "from orchestrator.cli.main import main\nsys.exit(main(['lsp']))"
    )
    ran_it = subprocess.run(
        [sys.executable, "-c", program], input=b"", capture_output=True, timeout=60, check=False
    )
    assert (ran_it.returncode, ran_it.stdout) == (2, b"")
    assert b"The language server needs" in ran_it.stderr
    assert b"[lsp]" in ran_it.stderr


#: Messages that are wrong, and the code of the error that each is answered with.
WRONG = [
    (b"{", -32700), (b"[" * 200_000, -32700), (b"\xff\xfe", -32700), (b"[]", -32600),
    (b'{"id": 7}', -32600), (b'{"jsonrpc": "1.0", "id": 7, "method": "x"}', -32600),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "nothing/such"}', -32601),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "textDocument/hover", "params": 3}', -32602),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "textDocument/hover"}', -32602),
    (b'{"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": {"capabilities": {}}}',
     -32600),
    (b'{"jsonrpc": "2.0", "id": [7], "method": "nothing/such"}', -32601),
]  # fmt: skip


def test_a_wrong_message_is_refused_and_the_next_one_is_served() -> None:
    process, frames = started(), Frames()
    assert process.stdin is not None
    assert process.stdout is not None
    place = {"textDocument": {"uri": URI}, "options": {"tabSize": 2, "insertSpaces": True}}
    asked = {"jsonrpc": "2.0", "method": "textDocument/formatting", "params": place}
    process.stdin.write(framed(HELLO, opening(GOOD)))
    for n, (body, code) in enumerate(WRONG):
        process.stdin.write(framed(body, {**asked, "id": f"next {n}"}))
        process.stdin.flush()
        said: list[Any] = []
        while len(said) < 2:
            part = os.read(process.stdout.fileno(), 65_536)
            assert part, body
            answers = [json.loads(one) for one in frames.feed(part)]
            said += [one for one in answers if "method" not in one and one["id"] != HELLO["id"]]
        ((served,), (refused,)) = ([m for m in said if ("result" in m) is b] for b in (True, False))
        assert served["id"] == f"next {n}", body
        assert refused["error"]["code"] in (code, -32603 if code == -32601 else code, -32602), body
        assert "Traceback" not in json.dumps(refused)
    rest, _ = process.communicate(framed(BYE, EXIT), timeout=60)
    assert ([(m["id"], m["result"]) for m in messages(rest)], process.returncode) == (
        [(2, None)],
        0,
    )


def test_what_comes_before_initialize_is_refused() -> None:
    code, said, _ = ran(framed(opening(GOOD), {**BYE, "id": 9}, HELLO, BYE, EXIT))
    assert code == 0
    assert [(one["id"], one.get("error", {}).get("code")) for one in said] == [
        (9, -32002), (1, None), (2, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "head", [b"Content-Length: x\r\n\r\n", b"Hello\r\n\r\n", b"x" * 5000,
             b"Content-Length: -1\r\n\r\n", b"Content-Length: 99999999999\r\n\r\n"],
)  # fmt: skip
def test_what_is_not_the_protocol_ends_the_process_with_a_reason(head: bytes) -> None:
    code, said, err = ran(framed(HELLO) + head + b"{}")
    assert (code, [one["id"] for one in said]) == (1, [1])
    assert len(err.splitlines()) == 1


def test_messages_are_found_wherever_the_stream_is_cut() -> None:
    raw = framed({"a": "\U0001f600"}, {"b": 2})
    raw = raw.replace(b"Content-Length: 10", b"Content-Type: x\r\ncontent-length:10")
    for step in range(1, len(raw)):
        frames = Frames()
        parts = [raw[i : i + step] for i in range(0, len(raw), step)]
        found = [json.loads(one) for part in parts for one in frames.feed(part)]
        assert len(found) == 2
    with pytest.raises(FramingError, match="more than"):
        list(Frames().feed(b"Content-Length: %d\r\n\r\n" % (MOST_MESSAGE + 1)))


def test_a_client_that_leaves_while_a_document_is_judged_ends_it() -> None:
    slow = swapped("horizon: 2", "horizon: 8")
    assert ran(framed(HELLO, opening(slow), opening(slow)))[0] == 0
