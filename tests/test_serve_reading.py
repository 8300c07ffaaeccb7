"""What the page's server makes of uploads: pages, pictures and PDF files back, a sentence for what cannot be read."""

from __future__ import annotations

import base64
import io
import os
import struct
import sys
import zlib

import pytest
from drawn_receipts import ROWS, SHOP, TOTAL, draw
from PIL import Image
from serving import HOME, encoded, refused

pytest.importorskip("starlette", reason="the page's server: make setup")
pytest.importorskip("httpx2", reason="Starlette's test client: make setup")

from starlette.testclient import TestClient

from quantvietocr.serve.app import make_app
from quantvietocr.serve.reading import MAX_BYTES, MAX_SHOWN_SIDE, PageReading
from quantvietocr.shipped import weights_file

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
opened: list[str] | None = None  # files opened to be written, while a test listens


@sys.addaudithook
def _listen(event: str, arguments: tuple) -> None:
    if event == "open" and opened is not None and isinstance(arguments[2], int) and arguments[2] & WRITES:
        opened.append(str(arguments[0]))


class Reader:
    """Stands for a Predictor: reads "dòng 1", "dòng 2", …"""

    def predict_batch(self, pictures, return_prob=True):
        return [f"dòng {place}" for place in range(1, len(pictures) + 1)], [0.95] * len(pictures)


@pytest.fixture(scope="module")
def reading(tiny_weights) -> PageReading:
    made = PageReading([tiny_weights, tiny_weights], threads=1, detector="profile")
    made.predictors = [Reader(), Reader()]
    return made


@pytest.fixture(scope="module")
def client(reading) -> TestClient:
    return TestClient(make_app(reading), HOME)


def test_a_page_comes_back_with_picture_and_pdf(client):
    picture = draw()
    answer = client.post("/read", params={"name": "hóa đơn.png"}, content=encoded(picture)).json()
    page = answer["page"]
    assert page["source"] == "hóa đơn.png" and (page["page"], page["pages"]) == (1, 1)
    assert page["lines"] and {line["confidence"] for line in page["lines"]} == {0.95}
    head, data = answer["picture"].split(",")
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == "data:image/jpeg;base64" and shown.size == (page["width"], page["height"]) == picture.size
    pdfium = pytest.importorskip("pypdfium2", reason="reads the PDF back: make setup")
    assert "dòng 2" in pdfium.PdfDocument(base64.b64decode(answer["pdf"]))[0].get_textpage().get_text_range()
    plain = client.post("/read?plain=1&reader=1", content=encoded(picture)).json()
    assert list(plain) == ["page"] and plain["page"]["lines"] == page["lines"]


def test_the_second_network_is_loaded_when_it_is_first_asked_for(tiny_weights):
    reading = PageReading([tiny_weights, tiny_weights], threads=1, detector="profile")
    assert [predictor is None for predictor in reading.predictors] == [False, True]
    assert all(reader["about"] for reader in reading.about["readers"])
    content = encoded(draw())
    pages = [reading.read(content, "a.png", 1, reader, plain=True)["page"] for reader in (0, 1)]
    assert pages[0]["lines"] == pages[1]["lines"] != [] and None not in reading.predictors


def test_a_large_picture_is_shown_smaller(client):
    answer = client.post("/read", content=encoded(draw(size=64, width=2200))).json()
    shown = Image.open(io.BytesIO(base64.b64decode(answer["picture"].split(",")[1])))
    assert max(shown.size) == MAX_SHOWN_SIDE < max(answer["page"]["width"], answer["page"]["height"])


def test_a_page_that_lies_is_shown_upright(client, monkeypatch, reading):
    class Sure(Reader):
        def predict_batch(self, pictures, return_prob=True):
            texts, _ = super().predict_batch(pictures)
            return texts, [0.9] * len(pictures)

    monkeypatch.setattr(reading, "predictors", [Sure()])
    lying = draw().transpose(Image.Transpose.ROTATE_90)
    answer = client.post("/read", content=encoded(lying)).json()
    shown = Image.open(io.BytesIO(base64.b64decode(answer["picture"].split(",")[1])))
    assert answer["page"]["turned"] == 90 and shown.size == lying.size[::-1]


def test_pages_of_one_file(client):
    first, second = draw(), draw().resize((500, 500))
    for kind in ("TIFF", "PDF"):
        if kind == "PDF":
            pytest.importorskip("pypdfium2", reason="reads PDF files: make setup")
        content = encoded(first, kind, save_all=True, append_images=[second])
        one, two = (client.post(f"/read?name=scan&page={number}", content=content).json()["page"] for number in (1, 2))
        assert (one["page"], one["pages"], two["page"], two["pages"]) == (1, 2, 2, 2)
        assert abs(two["width"] - two["height"]) <= 1 and one["width"] > one["height"]
        assert "scan" in refused(client.post("/read?name=scan&page=3", content=content), 422)


def large_png() -> bytes:
    """A kilobyte that says it is 200 million pixels."""
    chunks = b"IHDR" + struct.pack(">IIBBBBB", 20000, 10000, 8, 2, 0, 0, 0), b"IDAT" + bytes(1000)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


@pytest.mark.parametrize(
    "content, status",
    [
        (b"Total: 250.000", 415),
        (b"", 400),
        (large_png(), 413),
        (encoded(draw())[:5000], 422),
        (encoded(draw(), "JPEG")[:9000], 422),
        (b"%PDF-1.7\nnothing", 422),
    ],
    ids=["text", "empty", "bomb", "cut PNG", "cut JPEG", "broken PDF"],
)
def test_what_cannot_be_read_is_one_sentence(client, content, status):
    sentence = refused(client.post("/read?name=tệp.bin", content=content), status)
    assert "tệp.bin" in sentence and "the given bytes" not in sentence


def test_a_page_without_text_is_no_error(client):
    answer = client.post("/read", content=encoded(Image.new("RGB", (300, 400), "white"))).json()
    assert answer["page"]["lines"] == answer["page"]["fields"] == [] and answer["picture"] and answer["pdf"]


def test_nothing_is_written(client):
    global opened
    content = encoded(draw())
    client.post("/read", content=content)  # fonts and modules are loaded
    opened = []
    try:
        assert client.post("/read", content=content + bytes(2**21)).status_code == 200  # large enough for a spool file
        assert client.post("/read", files={"file": ("a.png", content + bytes(2**21))}).status_code == 200
        with open(os.devnull, "wb"):
            assert opened == [os.devnull]  # the test hears what is opened
    finally:
        opened = None


def test_about_names_readers_and_limits(client):
    about = client.get("/about").json()
    assert about["limits"]["bytes"] == MAX_BYTES and "profiles" in about["detector"] and len(about["readers"]) == 2


def test_the_shipped_weights_read_a_receipt():
    reading = PageReading((weights_file("int8"),), threads=1, detector="profile")
    with TestClient(make_app(reading), HOME) as client:
        page = client.post("/read?plain=1", content=encoded(draw(ROWS[:1] + ROWS[7:8] + ROWS[11:12]))).json()["page"]
    fields = {field["name"]: field["value"] for field in page["fields"]}
    assert fields["total"] == TOTAL and fields["shop"] == SHOP
