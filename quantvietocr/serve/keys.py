"""Who may use the API: those who send a key of the key file."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from ..common.files import ReadErrors, read_text
from ..errors import UserError

MIN_KEY = 16  # characters; a shorter one can be guessed
_ERRORS = ReadErrors(
    UserError, "--keys {path}: no such file; check the path.", "--keys {path}: cannot be read ({reason})."
)


class Keys:
    """The keys of a file, as hashes.

    Args:
        path: the file: `NAME KEY` on each line, the name for the log; empty lines and those with # are left out.

    Raises:
        UserError: the file cannot be read, is empty, or a line makes no sense. No key is in the sentence.
    """

    def __init__(self, path: str | Path) -> None:
        self.names: dict[str, bytes] = {}
        for number, line in enumerate(read_text(path, _ERRORS).splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2 or len(words[1]) < MIN_KEY or words[0] in self.names:
                raise UserError(
                    f"--keys {path}, line {number}: write a name that is there once, a space and a key of at least "
                    f"{MIN_KEY} characters."
                )
            self.names[words[0]] = _hash(words[1])
        if not self.names:
            raise UserError(f"--keys {path}: holds no key; write a name, a space and a key on a line.")

    def name_of(self, authorization: str, key: str) -> str | None:
        """Whose key a request's headers `Authorization: Bearer KEY` or `X-API-Key: KEY` hold; None for nobody's."""
        scheme, _, bearer = authorization.partition(" ")
        given = _hash(bearer.strip() if scheme.lower() == "bearer" else key)
        found = None
        for name, known in self.names.items():  # all of them: the time taken says nothing
            if hmac.compare_digest(given, known):
                found = name
        return found


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
