"""`quantvietocr serve --api`: answers, refusals, keys, batches across requests, 503 where it is full, a late stop."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from drawn_receipts import ROWS, draw
from PIL import Image
from serving import encoded, refused

for package in ("fastapi", "prometheus_client", "httpx", "httpx2"):
    pytest.importorskip(package, reason="the API and its client: pip install 'quantvietocr[api]'")

from starlette.testclient import TestClient

from quantvietocr.cli import main as cli
from quantvietocr.pictures.boxes import Box
from quantvietocr.reading.confidence import LineText
from quantvietocr.serve.api import make_api
from quantvietocr.serve.api_server import ApiSettings
from quantvietocr.serve.batching import Batcher, FullError
from quantvietocr.serve.client import ApiError, Client
from quantvietocr.serve.jobs import KEPT_SECONDS, MAX_OPEN, Jobs
from quantvietocr.serve.keys import Keys
from quantvietocr.serve.service import Limits, Service

ROOT = Path(__file__).resolve().parents[1]
KEY = "a-key-of-the-tests"


class Widths:
    """Stands for a predictor: reads how wide a picture is. Waits for `go` where a test has one."""

    def __init__(self, go: threading.Event | None = None) -> None:
        self.go = go
        self.batches: list[int] = []

    def candidates_of(self, picture):
        return picture.width

    def lines_from_candidates(self, lines):
        if self.go:
            assert self.go.wait(30)
        self.batches.append(len(lines))
        if 13 in lines:
            raise RuntimeError("secret")
        return [LineText(str(width), 0.9, 0.9) for width in lines]


class TwoLines:
    """Stands for a detector."""

    name = "two lines"

    def find(self, page):
        return [Box.of(0, top, page.width, top + 20) for top in (0, 30)]


def service_of(predictor=None, **limits) -> Service:
    return Service("w", predictor or Widths(), TwoLines(), 5.0, Limits(**limits))


def picture(width: int, height: int = 10, kind: str = "PNG") -> bytes:
    return encoded(Image.new("RGB", (width, height), "white"), kind)


def pages(count: int) -> bytes:
    file = io.BytesIO()
    first, *rest = [Image.new("RGB", (60, 60), "white") for _ in range(count)]
    first.save(file, "TIFF", save_all=True, append_images=rest)
    return file.getvalue()


@pytest.fixture
def client():
    with TestClient(make_api(service_of(), None)) as client:
        yield client


def test_lines_come_as_a_body_or_a_form(client):
    bare = client.post("/v1/lines?name=a.png", content=picture(40)).json()
    assert bare == {"lines": [{"name": "a.png", "text": "40", "confidence": 0.9}]}
    form = [("files", (f"{width}.png", picture(width))) for width in (30, 20)] + [("files", ("x.png", b"no picture"))]
    lines = client.post("/v1/lines", files=form).json()["lines"]
    assert [line.get("text") for line in lines] == ["30", "20", None] and "x.png: not a picture" in lines[2]["error"]


def test_documents_give_pages_and_long_ones_a_job(client):
    (page,) = client.post("/v1/receipts", files={"file": ("r.png", picture(60, 60))}).json()["pages"]
    assert page["source"] == "r.png" and [line["text"] for line in page["lines"]] == ["60", "60"]
    assert [page["page"] for page in client.post("/v1/receipts", content=pages(3)).json()["pages"]] == [1, 2, 3]
    answer = client.post("/v1/receipts", content=pages(6))
    assert answer.status_code == 202 and answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    until(lambda: client.get(answer.headers["location"]).json()["state"] == "done")
    job = client.get(answer.headers["location"]).json()
    assert [page["page"] for page in job["pages"]] == [1, 2, 3, 4, 5, 6] and job["count"] == 6
    refused(client.get("/v1/jobs/other"), 404)


@pytest.mark.parametrize(
    "path, content, status, said",
    [
        ("/v1/lines", b"", 400, "empty"),
        ("/v1/lines", b"no picture", 415, "not a picture"),
        ("/v1/lines", picture(400, 400)[:-40], 422, "damaged"),
        ("/v1/lines", bytes(2**20 + 1), 413, "larger than 1 MB"),
        ("/v1/receipts", b"no picture", 415, "not a picture"),
        ("/v1/receipts", b"%PDF-1.4 and no more", 422, "not a PDF, or a damaged one"),
    ],
)
def test_bad_requests_are_one_sentence(path, content, status, said):
    with TestClient(make_api(service_of(max_bytes=2**20, max_files=2), None)) as client:
        assert said in refused(client.post(f"{path}?name=a", content=content), status)
        three = [("files", (f"{index}.png", picture(20))) for index in range(3)]
        assert "at most 2 file(s)" in refused(client.post("/v1/lines", files=three), 413)
        assert "no file" in refused(client.post("/v1/lines", files={"a": (None, "text")}), 400)
        refused(client.get("/v1/lines"), 405)
        refused(client.get("/elsewhere"), 404)


def test_a_defect_says_so_and_the_next_request_is_read():
    with TestClient(make_api(service_of(), None), raise_server_exceptions=False) as client:
        assert "secret" not in refused(client.post("/v1/lines", content=picture(13)), 500)
        assert client.post("/v1/lines", content=picture(20)).status_code == 200


def test_only_keys_of_the_file_open_it(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# who\nshop {KEY}\nother {KEY[::-1]}\n")
    with TestClient(make_api(service_of(), Keys(file))) as client:
        for headers in ({}, {"authorization": f"Bearer {KEY}x"}, {"authorization": KEY}, {"x-api-key": "no"}):
            answer = client.post("/v1/lines", content=picture(20), headers=headers)
            assert KEY not in refused(answer, 401) and answer.headers["www-authenticate"] == "Bearer"
        for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}):
            assert client.post("/v1/lines", content=picture(20), headers=headers).status_code == 200
        started = client.post("/v1/receipts", content=pages(6), headers={"x-api-key": KEY}).headers["location"]
        refused(client.get(started, headers={"x-api-key": KEY[::-1]}), 404)  # another's job
        assert client.get(started, headers={"x-api-key": KEY}).status_code == 200
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            assert client.get(path).status_code == 200


@pytest.mark.parametrize("text", ["", "shop short", "shop", f"a {KEY}\na {KEY}", "a b c"])
def test_a_senseless_key_file_is_refused_without_its_keys(text, tmp_path):
    (tmp_path / "keys").write_text(text)
    with pytest.raises(ValueError, match="--keys") as caught:
        Keys(tmp_path / "keys")
    assert KEY not in str(caught.value)


def test_other_machines_need_a_key():
    with pytest.raises(ValueError, match="--open if a proxy"):
        ApiSettings("w", host="0.0.0.0").check()
    for settings in (ApiSettings("w"), ApiSettings("w", "0.0.0.0", keys="k"), ApiSettings("w", "::", is_open=True)):
        settings.check()


def test_lines_of_many_requests_are_read_together():
    predictor = Widths(threading.Event())
    with TestClient(make_api(service_of(predictor), None)) as client, ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(client.post, "/v1/lines", content=picture(20 + index)) for index in range(16)]
        until(lambda: client.get("/readyz").status_code == 200 and "requests_now 16.0" in client.get("/metrics").text)
        predictor.go.set()
        texts = [answer.result().json()["lines"][0]["text"] for answer in answers]
    assert texts == [str(20 + index) for index in range(16)]  # everyone has his own
    assert sum(predictor.batches) == 16 and len(predictor.batches) <= 4


def test_it_says_when_it_is_full():
    predictor = Widths(threading.Event())
    with TestClient(make_api(service_of(predictor, max_requests=4), None)) as client, ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(client.post, "/v1/lines", content=picture(20 + index)) for index in range(20)]
        until(lambda: sum(answer.done() for answer in answers) == 16)
        assert client.get("/readyz").json() == {"status": "full"}
        predictor.go.set()
        statuses = [answer.result().status_code for answer in answers]
        assert sorted(statuses) == [200] * 4 + [503] * 16
        for index, answer in enumerate(answers):
            if answer.result().status_code == 200:
                assert answer.result().json()["lines"][0]["text"] == str(20 + index)
            else:
                assert int(answer.result().headers["retry-after"]) >= 1
        assert client.get("/readyz").json() == {"status": "ready"}


def test_a_full_queue_and_too_many_jobs_send_away():
    predictor = Widths(threading.Event())
    batcher = Batcher(predictor, max_waiting=10, max_together=1)
    first = batcher.submit([20])
    until(lambda: not batcher.waiting)
    many = batcher.submit(list(range(30, 50)))  # larger than the queue, which is empty
    with pytest.raises(FullError):
        batcher.submit([1])
    predictor.go.set()
    assert [line.text for line in many.result(30)] == [str(n) for n in range(30, 50)] and first.result()[0].text == "20"
    batcher.close()
    jobs = Jobs()
    for _ in range(MAX_OPEN):
        last = jobs.add("a", "me", 10, 2.0)
    with pytest.raises(FullError) as caught:
        jobs.add("a", "me", 10, 2.0)
    assert caught.value.seconds > 10
    last.ended = time.monotonic() - KEPT_SECONDS - 1
    assert jobs.add("b", "me", 1, 2.0) and jobs.find(last.number, "me") is None


def test_open_api_names_every_address_with_examples(client):
    about = client.get("/openapi.json").json()
    assert set(about["paths"]) == {"/v1/lines", "/v1/receipts", "/v1/jobs/{number}", "/healthz", "/readyz", "/metrics"}
    for path in ("/v1/lines", "/v1/receipts"):
        post = about["paths"][path]["post"]
        assert "multipart/form-data" in post["requestBody"]["content"] and {"200", "401", "413", "503"} <= set(
            post["responses"]
        )
    assert all("examples" in about["components"]["schemas"][name] for name in ("LineAnswer", "PagesAnswer"))


def test_metrics_count(client):
    client.post("/v1/lines", content=picture(20))
    client.post("/v1/lines", content=b"no")
    client.get("/nowhere")
    text = client.get("/metrics").text
    assert 'quantvietocr_requests_total{path="/v1/lines",status="200"} 1.0' in text
    assert 'status="415"} 1.0' in text and 'path="other",status="404"' in text
    assert "quantvietocr_lines_total 1.0" in text


def served(service: Service, keys=None):
    """A uvicorn server in a thread; its address, and how to stop it."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_api(service, keys), log_level="warning", lifespan="on"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),), daemon=True)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", server, thread


def test_the_client_reads_waits_and_says_what_is_wrong(tmp_path):
    (tmp_path / "keys").write_text(f"shop {KEY}")
    go = threading.Event()
    address, server, thread = served(service_of(Widths(go), max_requests=1), Keys(tmp_path / "keys"))
    (tmp_path / "a.png").write_bytes(picture(40))
    with Client(address, KEY) as client, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(client.lines, [tmp_path / "a.png", b"no picture"]) for _ in range(2)]
        time.sleep(0.3)
        go.set()  # one of them was sent away until now, and comes again
        for lines in (one.result(30) for one in both):
            assert (lines[0].name, lines[0].text, lines[0].confidence) == ("a.png", "40", 0.9)
            assert lines[1].text is None and "not a picture" in lines[1].error
        assert len(client.pages(pages(6))) == 6
        with pytest.raises(ApiError, match="not a picture") as caught:
            client.pages(b"no picture")
        assert caught.value.status == 415
    with Client(address, "wrong") as client, pytest.raises(ApiError, match="No key") as caught:
        client.lines([b""])
    assert caught.value.status == 401
    server.should_exit = True
    thread.join(30)
    with Client(address, KEY) as client, pytest.raises(ApiError, match="no answer"):
        client.lines([tmp_path / "a.png"])


def test_a_stop_answers_what_is_here():
    go = threading.Event()
    service = service_of(Widths(go))
    address, server, thread = served(service)
    with Client(address) as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.lines, [picture(40)])
        until(lambda: service.requests == 1)
        server.should_exit = True
        time.sleep(0.2)
        go.set()
        assert answer.result(30)[0].text == "40"
    thread.join(30)
    assert not thread.is_alive()


def test_the_command_serves_reads_and_stops(tmp_path):
    """The whole of it with the shipped weights, as `quantvietocr serve --api` runs."""
    keys = tmp_path / "keys"
    keys.write_text(f"shop {KEY}")
    command = [sys.executable, "-m", "quantvietocr", "serve", "--api", "--port", "0", "--threads", "1"]
    command += ["--keys", str(keys), "--detector", "profile"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline()
            assert said.startswith("The API answers at http://127.0.0.1:"), process.stderr.read()
            with Client(said.split()[4].removesuffix("/v1/;"), KEY) as client:
                (page,) = client.pages(encoded(draw(ROWS[:2])))
                assert page["lines"] and json.dumps(page)
                (line,) = client.lines([ROOT / "data" / "samples" / "form_01.png"])
                assert line.text == "Biển số xe PSA-149/25"
            process.send_signal(signal.SIGTERM)
            _, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "options, said",
    [
        (["--host", "0.0.0.0"], "name a key file"),
        (["--keys", "absent"], "no such file"),
        (["--weights", "a", "b"], "name one"),
        (["--max-mb", "0"], "--max-mb"),
        (["--host", "nowhere.invalid", "--open"], "no address of this machine"),
    ],
)
def test_wrong_options_are_one_sentence(options, said, capsys):
    assert cli.main(["serve", "--api", "--port", "0", *options]) == 2
    assert said in capsys.readouterr().err


def until(holds, seconds: float = 30) -> None:
    """Waits until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
