"""The page as files: what is served to whom, under which policy, how large, from which sources."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

import orchestrator
from orchestrator.server.gate import PAGE_PATHS
from tests.support.service import Served

pytestmark = pytest.mark.may_block
PAGE = Path(orchestrator.__file__).parent / "server" / "page"
MOST_KB = 700


def test_the_page_needs_no_key_and_everything_else_does(with_keys: Served) -> None:
    with with_keys.client() as http:
        for path in PAGE_PATHS:
            assert http.get(path).status_code == 200, path
        for path in ("/page/other.js", "/page/../app.py", "/api/gmn/library", "/page/"):
            assert http.get(path).status_code == 401, path
        assert http.post("/").status_code == 401


def test_the_policy_lets_nothing_run_but_the_page_itself(running: Served) -> None:
    with running.client() as http:
        for path in PAGE_PATHS:
            policy = http.get(path).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
    html = (PAGE / "built" / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", html)


def test_the_page_is_small_compressed_and_kept_by_the_browser(running: Served) -> None:
    with running.client() as http:
        total = sum(len(gzip.compress(http.get(path).content, 9)) for path in PAGE_PATHS)
        assert total <= MOST_KB * 1024
        found = http.get("/page/page.js", headers={"Accept-Encoding": "gzip"})
        assert found.headers["content-encoding"] == "gzip"
        plain = http.get("/page/page.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == found.content
        again = http.get("/page/page.js", headers={"If-None-Match": found.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_link_of_another_site_opens_the_page_but_calls_nothing(running: Served) -> None:
    with running.client(headers={"Sec-Fetch-Site": "cross-site"}) as http:
        assert http.get("/").status_code == 200
        assert http.get("/api/models").status_code == 403
    with running.client(headers={"Host": "evil.example"}) as http:
        assert http.get("/").status_code == 421


def test_the_bundle_is_made_of_the_sources_that_lie_beside_it() -> None:
    sources = [f"source/{one.relative_to(PAGE / 'source').as_posix()}"
               for one in (PAGE / "source").rglob("*") if one.is_file()]  # fmt: skip
    digest = hashlib.sha256()
    for name in [*sorted(sources), "package-lock.json", "build.mjs"]:
        digest.update(f"{name}\n".encode() + (PAGE / name).read_bytes())
    first = (PAGE / "built" / "page.js").read_text().split("\n", 1)[0]
    assert digest.hexdigest() in first, "run `npm ci && npm run build` in orchestrator/server/page"


def test_every_source_is_one_idea_and_nothing_names_a_registry() -> None:
    for file in (PAGE / "source").rglob("*.*"):
        assert len(file.read_text().splitlines()) <= 400, file
    lock = (PAGE / "package-lock.json").read_text()
    assert "resolved" not in lock
    asked = json.loads((PAGE / "package.json").read_text())
    for version in {**asked["dependencies"], **asked["devDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_every_package_in_the_bundle_has_its_licence_beside_it() -> None:
    text = (PAGE / "built" / "LICENCES.txt").read_text()
    asked = json.loads((PAGE / "package.json").read_text())["dependencies"]
    for name, version in asked.items():
        assert f"{name} {version} (MIT)" in text or f"{name} {version} (Apache-2.0)" in text, name


def test_the_bundle_asks_nobody_but_the_service() -> None:
    text = (PAGE / "built" / "page.js").read_text() + (PAGE / "built" / "page.css").read_text()
    hosts = set(re.findall(r"(?:https?|wss?)://([\w.-]+)", text))
    # Names of formats, which nobody asks, and addresses in messages of the libraries.
    assert hosts <= {"www.w3.org", "codemirror.net", "preactjs.com"}
