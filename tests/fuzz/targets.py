"""What is fuzzed: how an input is made from a number, and what reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random

import mutate
import seeds

from quantvietocr.errors import UserError

KEPT_WHOLE = 0.02  # share of inputs that are not changed: what cannot read those tests nothing
MAX_SENTENCE = 2000  # characters of a refusal that is meant to be one sentence


@dataclass(frozen=True)
class Target:
    """One reader of foreign input.

    Attributes:
        name: what its row in the table is called.
        make: makes an input from a source of random numbers.
        feed: reads an input; raises UserError to refuse it.
        tries: how many inputs `make fuzz` tries.
        quick: how many the test suite tries.
    """

    name: str
    make: Callable[[Random], bytes]
    feed: Callable[[bytes], object]
    tries: int
    quick: int

    def input(self, number: int) -> bytes:
        """The input of this number: the same in every run."""
        return self.make(Random(f"{self.name} {number}"))


#: How many inputs of each target `make fuzz` tries, and how many the test suite.
TRIES = {
    "pictures": (10_000, 400),
    "PDFs": (2_000, 60),
    "checkpoints, .safetensors": (2_000, 60),
    "checkpoints, .pth": (2_000, 60),
    "checkpoints, .onnx": (2_000, 100),
    "annotations": (5_000, 200),
    "VietOCR's YAML": (3_000, 100),
    "settings": (3_000, 100),
    "rows of --out": (3_000, 100),
    "HTTP bodies": (3_000, 100),
}
NAMES = tuple(TRIES)


def targets(folder: Path) -> list[Target]:
    """All readers, in the order of `NAMES`. `folder` is for the files that some of them need; it must exist."""
    checkpoints = seeds.checkpoints(folder)
    parts: list[tuple[Callable[[Random], bytes], Callable[[bytes], object]]] = [
        (_picture, partial(_feed_picture, _predictor(folder))),
        (partial(_bytes_of, tuple(seeds.pdfs())), _feed_pdf),
        *(
            (partial(_checkpoint, tuple(whole), suffix), partial(_feed_checkpoint, folder / f"fuzzed{suffix}"))
            for suffix, whole in checkpoints.items()
        ),
        (_annotation, partial(_feed_annotation, folder)),
        (partial(_yaml, seeds.VIETOCR_YAML), partial(_feed_vietocr_yaml, folder)),
        (partial(_yaml, _settings()), partial(_feed_settings, folder)),
        (_rows, partial(_feed_rows, folder)),
        (_request, _feed_request),
    ]
    return [Target(name, *part, *TRIES[name]) for name, part in zip(NAMES, parts, strict=True)]


# --- pictures and PDF files ------------------------------------------------------------------------------------------


@cache
def _seed_picture(kind: str) -> bytes:
    return seeds.PICTURES[kind]()


def _picture(random: Random) -> bytes:
    kind = random.choice(list(seeds.PICTURES))
    data = _seed_picture(kind)
    if random.random() < KEPT_WHOLE:
        return data
    if kind.startswith("PNG") and random.random() < 0.8:  # else its checksums refuse nearly all
        return mutate.changed_png(data, random)
    return mutate.changed(data, random)


def _bytes_of(whole: tuple[bytes, ...], random: Random) -> bytes:
    data = random.choice(whole)
    return data if random.random() < KEPT_WHOLE else mutate.changed(data, random)


def _predictor(folder: Path) -> object:
    import tiny

    from quantvietocr import Predictor
    from quantvietocr.checkpoint import write

    weights = write(tiny.int8_checkpoint(), folder / "reader.safetensors")
    return Predictor(weights, threads=1, words=None)


def _feed_picture(predictor: object, data: bytes) -> None:
    """As lines and as pages are opened: the first frame, which is read, and the last one."""
    from quantvietocr.pictures.image import frame_count, open_frame

    count = frame_count(data)
    if count > 1:
        open_frame(data, min(count, 3) - 1)
    text, confidence = predictor.predict(data, return_prob=True)
    assert isinstance(text, str) and 0 <= confidence <= 1


def _feed_pdf(data: bytes) -> None:
    from quantvietocr.receipt.pages import PageFile

    file = PageFile("fuzzed.pdf", data)
    for number in range(1, min(file.count, 3) + 1):
        picture, dpi = file.open(number)
        assert picture.mode == "RGB" and dpi > 0


# --- checkpoints -----------------------------------------------------------------------------------------------------


def _checkpoint(whole: tuple[bytes, ...], suffix: str, random: Random) -> bytes:
    data = random.choice(whole)
    if random.random() < KEPT_WHOLE:
        return data
    if random.random() < 0.3:
        return mutate.changed(data, random)
    if suffix == ".safetensors":
        return _changed_safetensors(data, random)
    if suffix == ".pth":
        return mutate.changed_zip(data, random) if data.startswith(b"PK") else mutate.changed(data, random)
    return _changed_onnx(data, random)


def _changed_safetensors(data: bytes, random: Random) -> bytes:
    return (
        mutate.changed_safetensors(data, random) if b'"__metadata__"' in data[:80_000] else mutate.changed(data, random)
    )


def _changed_onnx(data: bytes, random: Random) -> bytes:
    """Change the graph and state the digest of what came of it, so that the reader of its numbers is reached."""
    from quantvietocr.checkpoint import onnx_file, protobuf

    graph = bytes(protobuf.as_message(dict(protobuf.fields(memoryview(data)))[onnx_file.MODEL_GRAPH]))
    other = mutate.changed(graph, random)[: len(graph)].ljust(len(graph), b"\0")
    digests = (hashlib.sha256(one).hexdigest().encode() for one in (graph, other))
    return data.replace(graph, other).replace(*digests)


def _feed_checkpoint(path: Path, data: bytes) -> None:
    """Read it; what is accepted must also read a line. An ONNX file's graph is guarded by its digest, as for users."""
    import tiny

    from quantvietocr import Predictor
    from quantvietocr.checkpoint import read

    path.write_bytes(data)
    yaml = path.with_name("vocabulary.yml")
    yaml.write_text(f"vocab: '{tiny.CHARS}'\n", encoding="utf-8")
    checkpoint = read(path, yaml if path.suffix == ".pth" else None)
    if (
        path.suffix == ".onnx" or checkpoint.is_float
    ):  # a float network of these few channels is none that VietOCR builds
        return
    text = Predictor(checkpoint, threads=1, words=None).predict(seeds.line())
    assert isinstance(text, str)


# --- texts -----------------------------------------------------------------------------------------------------------


def _annotation(random: Random) -> bytes:
    if random.random() < 0.5:
        return mutate.changed(seeds.ANNOTATION.encode(), random)
    return mutate.changed_words(seeds.ANNOTATION.replace("\t", " \t "), random).encode("utf-8", "surrogatepass")


def _feed_annotation(folder: Path, data: bytes) -> None:
    from quantvietocr.checkpoint.vocab import Vocab
    from quantvietocr.dataset.annotation import read_annotation

    for name in "abc":
        (folder / f"{name}.png").touch()
    (folder / "annotation.txt").write_bytes(data)
    read = read_annotation(folder / "annotation.txt", Vocab("abcđ "), unknown="skip", problems="skip")
    report = read.report
    assert report.lines == report.samples + report.blank + len(report.problems) + report.skipped


def _settings() -> str:
    from quantvietocr.shipped import config_file

    lines = config_file("qat").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith(("#", "base:"))) + "\n"


def _yaml(whole: str, random: Random) -> bytes:
    if random.random() < KEPT_WHOLE:
        return whole.encode()
    if random.random() < 0.4:
        return mutate.changed(whole.encode(), random)
    return mutate.changed_words(whole, random).encode("utf-8", "surrogatepass")


def _feed_vietocr_yaml(folder: Path, data: bytes) -> None:
    from quantvietocr.checkpoint.files import float_meta

    (folder / "vietocr.yml").write_bytes(data)
    float_meta(folder / "vietocr.yml")


def _feed_settings(folder: Path, data: bytes) -> None:
    from quantvietocr.config import load_config

    (folder / "settings.yml").write_bytes(data)
    load_config(folder / "settings.yml")


# --- results of an earlier run ---------------------------------------------------------------------------------------


def _rows(random: Random) -> bytes:
    rows = "".join(f"a/{number}.png\tTổng cộng\t0.9\n" for number in range(5)).encode()
    if random.random() < 0.5:
        rows = "".join(f'{{"path": "{number}.png", "text": "a"}}\n' for number in range(5)).encode()
    return rows if random.random() < KEPT_WHOLE else mutate.changed(rows, random)


def _feed_rows(folder: Path, data: bytes) -> None:
    from quantvietocr.cli.rows import RowFile

    form = "json" if data.startswith(b"{") else "tsv"
    path = folder / f"rows.{form}"
    path.write_bytes(data)
    path.with_name(f"{path.name}.reader").write_text("fuzz\n")
    file = RowFile(path, form, "fuzz")
    file.has("a/1.png")
    file.write("a/9.png", "Cộng", 0.5)
    file.close()
    assert path.read_bytes().endswith(b"\n")


# --- HTTP ------------------------------------------------------------------------------------------------------------

BOUNDARY = b"b0undary"
ANSWERS = (200, 400, 403, 404, 405, 413, 415, 422)
ODD_VALUES = "", "0", "1", "-1", "99999999", "½", "a\0b", "%", "é", "x" * 3000, "١", "1.0", " 1"


def _request(random: Random) -> bytes:
    """A request's address, its kind and its body, with zero bytes between."""
    names = random.sample(("name", "page", "reader", "ticket", "plain", "?", "&"), random.randint(0, 4))
    query = "&".join(f"{name}={random.choice(ODD_VALUES)}" for name in names)
    body = _picture(random) if random.random() < 0.8 else _bytes_of(tuple(_pdfs()), random)
    kind = b"application/octet-stream"
    if random.random() < 0.5:
        kind = b'multipart/form-data; boundary="%s"' % BOUNDARY
        head = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' % BOUNDARY
        form = head + body + b"\r\n--%s--\r\n" % BOUNDARY
        body = form if random.random() < 0.3 else mutate.changed(form[:400], random) + form[400:]
        kind = kind if random.random() < 0.8 else mutate.changed(kind, random)
    return b"\0\0".join((query.encode().replace(b"\0", b"%00"), kind, body))


@cache
def _pdfs() -> list[bytes]:
    return seeds.pdfs()


class PagesOpened:
    """Stands for what reads: an upload is opened as the server opens it, and not read."""

    about = {"readers": [{"name": "int8", "file": "a", "about": []}]}  # noqa: RUF012  # as the protocol has it

    def read(self, content: bytes, name: str, number: int, reader: int, plain: bool) -> dict[str, object]:
        from quantvietocr.receipt.pages import PageFile

        file = PageFile(name, content)
        if number > file.count:
            raise UserError(f"{name}: no page {number}.")
        picture, dpi = file.open(number)
        return {"width": picture.width, "dpi": dpi, "name": name}


@cache
def _client() -> object:
    from starlette.testclient import TestClient

    from quantvietocr.serve.app import make_app

    return TestClient(make_app(PagesOpened()), "http://127.0.0.1:8000", raise_server_exceptions=True)


def _feed_request(data: bytes) -> None:
    query, kind, body = data.split(b"\0\0", 2)
    headers = {b"content-type": kind.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")}
    answer = _client().post(f"/read?{query.decode(errors='replace')}", content=body, headers=headers)
    assert answer.status_code in ANSWERS, answer.text
    if answer.status_code != 200:
        raise UserError(answer.json()["error"])
