"""The files of a request: its body as it is, or those of a form; within limits, and never on the disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

FORM = "multipart/form-data"
MAX_NAME_LENGTH = 200  # characters of a file's name
MAX_FORM_HEADERS = 1024  # bytes of a form beside each file
THE_UPLOAD = "the upload"


@dataclass(frozen=True)
class Upload:
    """Limits of a request.

    Attributes:
        max_bytes: of all its files together.
        max_files: how many.
    """

    max_bytes: int
    max_files: int = 1

    async def files_of(self, request: Request) -> list[tuple[str, bytes]]:
        """Name and content of each file. Raises HTTPException: 400 no file, 413 too large or too many."""
        if request.headers.get("content-type", "").startswith(FORM):
            return await self._form(request)
        name = request.query_params.get("name", "")[:MAX_NAME_LENGTH] or THE_UPLOAD
        content = b"".join([part async for part in self._body(request, self.max_bytes)])
        if not content:
            raise HTTPException(400, f"{name}: empty; send the file itself as the request's body, or a form.")
        return [(name, content)]

    async def _form(self, request: Request) -> list[tuple[str, bytes]]:
        stream = self._body(request, self.max_bytes + MAX_FORM_HEADERS * self.max_files)
        parser = MultiPartParser(request.headers, stream, max_files=self.max_files)
        parser.spool_max_size = self.max_bytes + 1  # in memory
        try:
            form = await parser.parse()
        except MultiPartException as error:
            reason = error.message.rstrip(".")
            too_many = "Too many files" in reason
            raise HTTPException(
                413 if too_many else 400, f"The form cannot be read ({reason}); send at most {self.max_files} file(s)."
            ) from error
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if not files:
            raise HTTPException(400, "The form holds no file: send one, as `curl -F file=@receipt.jpg` does.")
        content = [((file.filename or "")[:MAX_NAME_LENGTH] or THE_UPLOAD, await file.read()) for file in files]
        await form.close()
        return content

    def _body(self, request: Request, most: int) -> AsyncGenerator[bytes, None]:
        size = f"{self.max_bytes / 2**20:g} MB"
        return limited(request, most, f"The request is larger than {size}; send less at a time.")


async def limited(request: Request, most: int, sentence: str) -> AsyncGenerator[bytes, None]:
    """The request's body piece by piece, as long as it keeps to a limit.

    Args:
        request: whose body it is.
        most: bytes.
        sentence: said where there are more.

    Raises:
        HTTPException: 413, with that sentence.
    """
    too_large = HTTPException(413, sentence)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_large
        yield part
