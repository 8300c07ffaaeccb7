"""`quantvietocr serve` over HTTP: what it answers, refuses, queues, and that it keeps nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
from drawn_receipts import ROWS, draw
from serving import HOME, encoded, refused

pytest.importorskip("starlette", reason="the page's server: make setup")
pytest.importorskip("httpx2", reason="Starlette's test client: make setup")

from starlette.testclient import TestClient

from quantvietocr.cli import main as cli
from quantvietocr.serve import app as app_module
from quantvietocr.serve import turns
from quantvietocr.serve.app import STATIC, make_app
from quantvietocr.serve.server import listen


class Echo:
    """Stands for a Reading: says what it was asked; waits for `go` where a test has one."""

    about: ClassVar = {
        "readers": [{"name": "int8", "file": "a", "about": []}, {"name": "float", "file": "b", "about": []}]
    }

    def __init__(self, go: threading.Event | None = None) -> None:
        self.asked: list[str] = []
        self.go = go

    def read(self, content, name, number, reader, plain):
        self.asked.append(name)
        if name == "defect":
            raise RuntimeError("secret")
        if self.go:
            assert self.go.wait(30)
        return {"name": name, "size": len(content), "page": number, "reader": reader, "plain": plain}


def test_the_page_and_its_files_are_all_that_is_served():
    client = TestClient(make_app(Echo()), HOME)
    for path, (_, kind) in STATIC.items():
        response = client.get(path)
        assert response.status_code == 200 and response.headers["content-type"] == f"{kind}; charset=utf-8"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert (
            response.headers["cache-control"] == "no-store" and response.headers["x-content-type-options"] == "nosniff"
        )
    for path in (
        "/static",
        "/static/",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/index.html",
        "/etc/passwd",
    ):
        assert refused(client.get(path), 404)
    refused(client.get("/read"), 405)


def test_the_page_needs_nothing_from_elsewhere():
    client = TestClient(make_app(Echo()), HOME)
    for path in STATIC:
        text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "innerHTML" not in text and "style=" not in text


@pytest.mark.parametrize(
    "headers, right",
    [
        ({}, True),
        ({"host": "localhost:9000"}, True),
        ({"host": "localhost:9000", "origin": "http://localhost:9000"}, True),
        ({"origin": HOME}, True),
        ({"origin": "http://127.0.0.1:9000"}, False),
        ({"origin": "https://127.0.0.1:8000"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"host": "evil.example"}, False),
        ({"host": "evil.example:8000", "origin": "http://evil.example:8000"}, False),
        ({"host": ""}, False),
        ({"host": "127.0.0.1.evil.example"}, False),
        ({"host": "[::1"}, False),
    ],
)
def test_other_sites_are_refused(headers, right):
    reading = Echo()
    response = TestClient(make_app(reading), HOME).post("/read?name=a", content=b"x", headers=headers)
    assert "content-security-policy" in response.headers
    if right:
        assert response.status_code == 200 and reading.asked == ["a"]
    else:
        assert refused(response, 403) and not reading.asked


def test_what_is_asked_reaches_the_reading():
    client = TestClient(make_app(Echo()), HOME)
    usual = {"name": "the upload", "size": 3, "page": 1, "reader": 0, "plain": False}
    assert client.post("/read", content=b"abc").json() == usual
    asked = client.post(
        "/read", params={"name": "hóa đơn.png", "page": 3, "reader": 1, "plain": 1}, content=b"abc"
    ).json()
    assert asked == {"name": "hóa đơn.png", "size": 3, "page": 3, "reader": 1, "plain": True}


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=x", "page=9999999999", "page=²", "reader=2", "reader="])
def test_a_senseless_query_is_refused(query):
    reading = Echo()
    assert query.split("=")[0] in refused(TestClient(make_app(reading), HOME).post(f"/read?{query}", content=b"x"), 400)
    assert not reading.asked


def test_uploads_are_limited_as_they_come(monkeypatch):
    monkeypatch.setattr(app_module, "MAX_BYTES", 2**20)
    reading = Echo()
    client = TestClient(make_app(reading), HOME)
    taken = 0

    def endless():
        nonlocal taken
        while taken < 40:
            taken += 1
            yield bytes(2**18)

    assert "1 MB" in refused(client.post("/read?name=a", content=bytes(2**20 + 1)), 413)
    assert "1 MB" in refused(client.post("/read?name=a", content=endless()), 413)  # which says no length beforehand
    assert refused(client.post("/read?name=a", content=b""), 400) and not reading.asked
    assert client.post("/read?name=a", content=bytes(2**20)).status_code == 200


def test_a_form_is_taken_as_curl_sends_it(monkeypatch):
    reading = Echo()
    client = TestClient(make_app(reading), HOME)
    usual = {"name": "hóa đơn.png", "size": 3, "page": 1, "reader": 0, "plain": True}
    assert client.post("/read", files={"file": ("hóa đơn.png", b"abc")}).json() == usual
    asked = client.post("/read?name=b&plain=0", data={"note": "x"}, files={"anything": ("a.png", b"abcd")}).json()
    assert asked == usual | {"name": "b", "size": 4, "plain": False}
    assert "holds no file" in refused(client.post("/read", files={"note": (None, "x")}), 400)
    assert "empty" in refused(client.post("/read", files={"file": ("a.png", b"")}), 400)
    two = [("file", ("a.png", b"a")), ("file", ("b.png", b"b"))]
    assert "one file" in refused(client.post("/read", files=two), 400)
    broken = client.post("/read", content=b"no form", headers={"content-type": "multipart/form-data"})
    assert "cannot be read" in refused(broken, 400)
    monkeypatch.setattr(app_module, "MAX_BYTES", 2**20)
    assert "1 MB" in refused(client.post("/read", files={"file": ("a.png", bytes(2**20 + 2**14))}), 413)
    asked = reading.asked.copy()
    headers = {"origin": "http://evil.example"}
    assert refused(client.post("/read", files={"file": ("a.png", b"abc")}, headers=headers), 403)
    assert reading.asked == asked == ["hóa đơn.png", "b"]


def test_the_server_says_that_it_is_well_and_has_a_sample():
    client = TestClient(make_app(Echo()), HOME)
    assert client.get("/healthz").json() == {"status": "ok"}
    sample = client.get("/static/sample.jpg")
    assert sample.headers["content-type"] == "image/jpeg" and sample.content[:3] == b"\xff\xd8\xff"


def test_uploads_take_turns_and_the_server_answers_meanwhile():
    go = threading.Event()
    reading = Echo(go)
    with TestClient(make_app(reading), HOME) as client, ThreadPoolExecutor(3) as pool:
        uploads = []
        for place, name in enumerate(("a", "b", "c")):
            uploads.append(pool.submit(client.post, f"/read?name={name}&ticket={name}", content=b"x"))
            until(lambda name=name, place=place: client.get(f"/queue?ticket={name}").json() == {"ahead": place})
        assert client.get("/about").status_code == 200
        assert client.get("/queue?ticket=nobody").json() == {"ahead": None}
        assert reading.asked == ["a"]  # one at a time
        go.set()
        assert [upload.result(30).json()["name"] for upload in uploads] == ["a", "b", "c"] == reading.asked
        assert client.get("/queue?ticket=a").json() == {"ahead": None}


def test_too_many_uploads_are_sent_away(monkeypatch):
    monkeypatch.setattr(turns, "MAX_UPLOADS", 1)
    go = threading.Event()
    with TestClient(make_app(Echo(go)), HOME) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/read?name=a&ticket=a", content=b"x")
        until(lambda: client.get("/queue?ticket=a").json()["ahead"] == 0)
        assert refused(client.post("/read?name=b", content=b"x"), 503)
        go.set()
        assert first.result(30).status_code == 200
        assert client.post("/read?name=b", content=b"x").status_code == 200  # the place is free again


def test_nothing_is_read_for_those_who_left():
    reading, sent = Echo(), []
    came = iter([{"type": "http.request", "body": b"x", "more_body": False}])

    async def receive():
        return next(came, {"type": "http.disconnect"})

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/read",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
    }
    asyncio.run(make_app(reading)(scope, receive, send))
    assert sent[0]["status"] == 499 and not reading.asked


def test_a_defect_says_so_and_no_more():
    client = TestClient(make_app(Echo()), HOME, raise_server_exceptions=False)
    response = client.post("/read?name=defect", content=b"x")
    assert "secret" not in refused(response, 500) and "content-security-policy" in response.headers


def test_a_port_in_use_or_a_senseless_option_is_one_sentence(tiny_weights, capsys):
    with listen(0) as taken:
        assert taken.getsockname()[0] == "127.0.0.1"
        port = str(taken.getsockname()[1])
        assert cli.main(["serve", "--port", port, "--weights", str(tiny_weights), str(tiny_weights)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and f"Port {port} is in use" in said[0]
    three = ["--weights", "a", "b", "c"]
    for mistake in (["--port", "70000"], ["--port", "0", "--threads", "-1"], ["--port", "0", *three]):
        assert cli.main(["serve", *mistake]) == 2 and len(capsys.readouterr().err.splitlines()) == 1


def test_a_missing_package_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert cli.main(["serve", "--port", "0"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "make setup" in said and "uvicorn" in said


def test_it_starts_reads_and_stops(tiny_weights):
    weights = (str(tiny_weights),)  # one alone: there is nothing to compare with
    command = [sys.executable, "-m", "quantvietocr", "serve", "--port", "0", "--threads", "1", "--weights", *weights]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = server.stdout.readline()
            assert said.startswith("Open http://127.0.0.1:"), server.stderr.read()
            address = said.split()[1]
            with urllib.request.urlopen(f"{address}read?plain=1", encoded(draw(ROWS[:2])), timeout=120) as response:
                assert json.load(response)["page"]["pages"] == 1
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=60)
        finally:
            server.kill()
    assert server.returncode == 0 and out == "Stopped.\n" and "Traceback" not in err


def until(holds, seconds: float = 30) -> None:
    """Waits until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
