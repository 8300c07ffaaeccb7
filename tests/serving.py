"""What the tests of the page's server share."""

from __future__ import annotations

import io

from PIL import Image

HOME = "http://127.0.0.1:8000"


def encoded(picture: Image.Image, kind: str = "PNG", **how) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def refused(response, status: int) -> str:
    """The sentence of an answer that is a refusal."""
    assert response.status_code == status, response.text
    (sentence,) = response.json().values()
    assert list(response.json()) == ["error"] and "\n" not in sentence and sentence.endswith(".")
    return sentence
