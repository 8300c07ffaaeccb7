"""A client of the API.

from quantvietocr.serve.client import Client

with Client("http://127.0.0.1:8000", key="…") as client:
    for line in client.lines(["a.png", "b.png"]):
        print(line.text, line.confidence)
    for page in client.pages("receipt.pdf"):
        print(page["fields"])
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.packages import need
from ..errors import UserError

File = str | os.PathLike | bytes  # a path, or a file's bytes
ASK_SECONDS = 1.0  # between questions how far a job is


class ApiError(UserError):
    """The service has refused a request, or does not answer.

    Attributes:
        status: of HTTP; 0 where nothing answered.
    """

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Line:
    """A picture of one line.

    Attributes:
        name: of its file.
        text: what was read; None where it could not be.
        confidence: the chance in [0, 1] that all of the text is right.
        error: why it could not be read.
    """

    name: str
    text: str | None = None
    confidence: float | None = None
    error: str | None = None


class Client:
    """Talks to a service.

    Args:
        address: as `http://127.0.0.1:8000`.
        key: of the service's key file; None where it wants none.
        patience: seconds to go on asking while the service has no room.
        timeout: seconds for an answer.

    Raises:
        MissingPackageError: httpx is not installed.
    """

    def __init__(
        self, address: str, key: str | None = None, *, patience: float = 120.0, timeout: float = 120.0
    ) -> None:
        httpx = need("httpx", "the client of the API", extra="api")
        self.address, self.patience, self.failure = address, patience, httpx.TransportError
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.http: Any = httpx.Client(base_url=address, headers=headers, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *failure: object) -> None:
        self.http.close()

    def lines(self, files: Sequence[File]) -> list[Line]:
        """Read pictures of one line each. Raises ApiError, OSError."""
        form = [("files", _named(file)) for file in files]
        answer = self._ask("POST", "/v1/lines", files=form)
        return [Line(**{key: one[key] for key in Line.__dataclass_fields__ if key in one}) for one in answer["lines"]]

    def pages(self, file: File) -> list[dict[str, Any]]:
        """Read a document; its pages as docs/receipts.md describes them. A long one is waited for. Raises ApiError."""
        answer = self._ask("POST", "/v1/receipts", files={"file": _named(file)})
        while answer.get("state") == "running":
            time.sleep(ASK_SECONDS)
            answer = self._ask("GET", f"/v1/jobs/{answer['id']}")
        return answer["pages"]

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        """The answer's JSON; where the service has no room, as soon as it has. Raises ApiError."""
        until = time.monotonic() + self.patience
        while True:
            try:
                response = self.http.request(method, path, **body)
            except self.failure as error:
                raise ApiError(f"{self.address}: no answer ({error}); is the service running there?") from error
            if response.is_success:
                return response.json()
            wait = float(response.headers.get("retry-after", 1))
            if response.status_code != 503 or time.monotonic() + wait > until:
                said = response.json().get("error") if "json" in response.headers.get("content-type", "") else None
                raise ApiError(said or f"{self.address}{path}: status {response.status_code}.", response.status_code)
            time.sleep(wait)


def _named(file: File) -> tuple[str, bytes]:
    return ("the upload", file) if isinstance(file, bytes) else (Path(file).name, Path(file).read_bytes())
