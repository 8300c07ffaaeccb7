"""Downloads against a server of our own: whole, broken off, wrong, refused."""

from __future__ import annotations

import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest

from quantvietocr.vietocr_bridge import fetch as module
from quantvietocr.vietocr_bridge.fetch import FetchError, fetch, git_blob_id, is_drive, published_address

CONTENT = np.random.default_rng(0).bytes(300_000)
BLOB = hashlib.sha1(b"blob 300000\0" + CONTENT).hexdigest()


@pytest.fixture
def server():
    """Serves CONTENT at /weights.pth; `log` has the path of each request, the other fields make it misbehave."""
    state = SimpleNamespace(log=[], content=CONTENT, cuts=[], redirect=None, pages={})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.log.append(self.path)
            if state.redirect:
                self.send_response(302)
                self.send_header("Location", state.redirect)
                self.end_headers()
                return
            if self.path != "/weights.pth" and self.path not in state.pages:
                self.send_error(404)
                return
            body = state.pages.get(self.path, state.content)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cuts.pop()] if state.cuts else body)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{running.server_port}/weights.pth"
        yield state
        running.shutdown()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """pooch waits a second or more before it tries again."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)


def parts(folder) -> list:
    return sorted(folder.glob("*.part"))


def test_a_download_is_whole_checked_and_named_last(server, tmp_path, capsys):
    out = fetch(tmp_path / "new" / "w.pth", server.url, BLOB)
    assert out.read_bytes() == CONTENT and list(out.parent.iterdir()) == [out]
    assert server.log == ["/weights.pth"]
    assert "300k/300k" in capsys.readouterr().err  # progress


def test_a_file_that_is_there_already_is_not_downloaded_again(server, tmp_path, capsys):
    out = tmp_path / "w.pth"
    out.write_bytes(CONTENT)
    assert fetch(out, server.url, BLOB) == out
    assert server.log == [] and "already" in capsys.readouterr().out
    out.write_bytes(b"mine")
    with pytest.raises(FetchError, match="exists and is another file"):
        fetch(out, server.url, BLOB)
    with pytest.raises(FetchError, match="exists and may be any file"):
        fetch(out, server.url)
    assert out.read_bytes() == b"mine" and server.log == []


def test_a_connection_that_breaks_is_tried_again(server, tmp_path):
    server.cuts = [100_000]
    assert fetch(tmp_path / "w.pth", server.url, BLOB).read_bytes() == CONTENT
    assert len(server.log) == 2 and parts(tmp_path) == []


def test_a_connection_that_always_breaks_leaves_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TRIES", 1)
    server.cuts = [120_000]
    with pytest.raises(FetchError, match=r"could not be downloaded \(.*120000 bytes read.*\)\. Without a network here"):
        fetch(tmp_path / "w.pth", server.url, BLOB)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_not_taken_for_the_file(server, tmp_path):
    (tmp_path / "w.pth.part").write_bytes(b"x" * 1000)
    assert fetch(tmp_path / "w.pth", server.url, BLOB).read_bytes() == CONTENT
    assert server.log == ["/weights.pth"] and parts(tmp_path) == []


def test_another_file_than_the_expected_one_is_deleted(server, tmp_path):
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(FetchError, match="another file than the expected one") as error:
        fetch(tmp_path / "w.pth", server.url, BLOB)
    assert BLOB in str(error.value) and list(tmp_path.iterdir()) == []


def test_an_address_of_ones_own_is_taken_unchecked_and_says_so(server, tmp_path, capsys):
    server.content = b"anything"
    assert fetch(tmp_path / "w.pth", server.url).read_bytes() == b"anything"
    assert "as it came" in capsys.readouterr().out
    with pytest.raises(FetchError, match="not a git blob id"):
        fetch(tmp_path / "v.pth", server.url, "abc")


def test_no_network_says_what_to_do_instead(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/weights.pth"
        with pytest.raises(FetchError, match="refused") as error:
            fetch(tmp_path / "w.pth", url, BLOB)
    said = str(error.value)
    assert url in said and str(tmp_path / "w.pth") in said and "browser" in said and "\n" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_missing_page_is_named(server, tmp_path):
    with pytest.raises(FetchError, match="the server answers 404"):
        fetch(tmp_path / "w.pth", server.url + "x", BLOB)


def test_only_https_is_downloaded_from(server, tmp_path):
    for url in ("http://example.org/w.pth", "ftp://127.0.0.1/w.pth", "file:///etc/hostname"):
        with pytest.raises(FetchError, match="only https"):
            fetch(tmp_path / "w.pth", url, BLOB)
    server.redirect = "http://example.org/w.pth"
    with pytest.raises(FetchError, match="only https"):
        fetch(tmp_path / "w.pth", server.url, BLOB)


def test_the_address_comes_from_vietocrs_config_where_it_can_be_had(server, tmp_path, monkeypatch):
    base = server.url.rsplit("/", 1)[0]
    monkeypatch.setattr(module, "CONFIG_URL", f"{base}/vgg-seq2seq.yml")
    monkeypatch.setattr(module, "BLOB_ID", BLOB)
    server.pages["/vgg-seq2seq.yml"] = f"backbone: vgg19_bn\nweights: {server.url}\n".encode()
    assert fetch(tmp_path / "w.pth").read_bytes() == CONTENT
    for page in (b"weights: [", b"backbone: vgg19_bn", b"- a list", b"weights:"):
        server.pages["/vgg-seq2seq.yml"] = page
        assert published_address() == module.WEIGHTS_URL
    server.pages.clear()
    assert published_address() == module.WEIGHTS_URL


def test_a_drive_id_goes_through_gdown(tmp_path, monkeypatch):
    import gdown

    calls = []

    def download(url, output, id):
        calls.append((url, id))
        with open(output, "wb") as stream:
            stream.write(CONTENT)

    monkeypatch.setattr(gdown, "download", download)
    fetch(tmp_path / "a.pth", "13327Y1tz1ohsm5YZMyXVMPIOjoOA0OaA", BLOB)
    fetch(tmp_path / "b.pth", "https://drive.google.com/uc?id=1", BLOB)
    assert calls == [(None, "13327Y1tz1ohsm5YZMyXVMPIOjoOA0OaA"), ("https://drive.google.com/uc?id=1", None)]
    assert not is_drive("https://vocr.vn/data/vietocr/vgg_seq2seq.pth")

    def refuse(**arguments):
        raise gdown.exceptions.FileURLRetrievalError("Too many users\nhave viewed it")

    monkeypatch.setattr(gdown, "download", refuse)
    with pytest.raises(FetchError, match="Too many users") as error:
        fetch(tmp_path / "c.pth", "13327Y1tz1ohsm5YZMyXVMPIOjoOA0OaA", BLOB)
    assert "\n" not in str(error.value)


def test_blob_ids_are_gits(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "hello").write_bytes(b"hello\n")
    assert git_blob_id(tmp_path / "empty") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_blob_id(tmp_path / "hello") == "ce013625030ba8dba906f756967f9e9ca394464a"
