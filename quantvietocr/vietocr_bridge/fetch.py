"""Download VietOCR's published `vgg_seq2seq` weights: progress, resume, atomic rename, checked by content."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from tqdm import tqdm

from ..errors import UserError

#: VietOCR's own config, whose `weights:` says where they are; and what it said when this was written.
CONFIG_URL = "https://vocr.vn/data/vietocr/config/vgg-seq2seq.yml"
WEIGHTS_URL = "https://vocr.vn/data/vietocr/vgg_seq2seq.pth"
#: sha1 over b"blob <size>\0" + content, as git names a file's content.
BLOB_ID = "5de70553163f861f68bf22bdc681afe8a433e79a"
TIMEOUT_S = 30
TRIES = 5
CHUNK = 1 << 16
LOCAL = ("localhost", "127.0.0.1", "::1")


class FetchError(UserError):
    """The weights could not be fetched; the message says why and what to do instead."""


class _Broken(Exception):
    """The connection failed or broke; what arrived is kept in the `.part` file."""


def fetch(out: str | os.PathLike, url: str | None = None, blob_id: str | None = None) -> Path:
    """Download the weights to `out` and return its path; nothing is downloaded where the right file lies already.

    url: take this address instead of the one in VietOCR's config (a Google Drive id or address goes through gdown).
    blob_id: the git blob id the file must have; by default that of VietOCR's published file, and with a `url` of your
    own none: the file is then taken as it comes, and stderr says so.
    A download that breaks goes on where it stopped, also in the next call. A file that is not the wanted one is deleted.
    Raises FetchError.
    """
    out = Path(out)
    if blob_id is not None and not re.fullmatch("[0-9a-f]{40}", blob_id):
        raise FetchError(
            f"{blob_id!r} is not a git blob id: give 40 hexadecimal digits, as `git hash-object FILE` prints."
        )
    wanted = blob_id or (BLOB_ID if url is None else None)
    if out.exists():
        if wanted and out.is_file() and git_blob_id(out) == wanted:
            tqdm.write(f"{out} is there already, with the right content.")
            return out
        raise FetchError(
            f"{out} exists and {'is another file' if wanted else 'may be any file'}: move it away, or choose "
            "another --out."
        )
    address = url or published_address()
    out.parent.mkdir(parents=True, exist_ok=True)
    # Its own part for each address: the end of one file must not be joined to the beginning of another.
    part = out.with_name(f"{out.name}.{hashlib.sha256(address.encode()).hexdigest()[:8]}.part")
    try:
        _from_drive(address, part) if is_drive(address) else _from_web(address, part)
    except _Broken as error:
        kept = (
            f" {part.stat().st_size / 1e6:.1f} MB are kept in {part}; run this again to go on." if part.exists() else ""
        )
        raise FetchError(
            f"{address} could not be downloaded ({error}).{kept} Without a network here: download it elsewhere, with a "
            f"browser, and put it at {out}; or train with weights of your own (any VietOCR vgg_seq2seq .pth)."
        ) from error
    if wanted is None:
        tqdm.write(f"{address} was taken as it came: give --blob-id to have its content checked.")
    elif (found := git_blob_id(part)) != wanted:
        size = part.stat().st_size
        part.unlink()
        raise FetchError(
            f"{address} gave another file than the expected one ({size:,} bytes with git blob id {found}, not {wanted}); it "
            "was deleted. Try again; if the weights were published anew, name the address with --url to take them as they are."
        )
    os.replace(part, out)
    return out


def git_blob_id(path: str | os.PathLike) -> str:
    """The name git gives a file's content: sha1 over ``blob <size>\\0`` and the bytes, in hex."""
    digest = hashlib.sha1(b"blob %d\0" % os.path.getsize(path), usedforsecurity=False)
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def published_address() -> str:
    """Where VietOCR's config says the weights are; the address known from it where the config cannot be had."""
    try:
        with _open(CONFIG_URL) as response:
            address = yaml.safe_load(response.read(1 << 20))["weights"]
    except (FetchError, OSError, http.client.HTTPException, yaml.YAMLError, KeyError, TypeError):
        return WEIGHTS_URL
    return address if isinstance(address, str) and address else WEIGHTS_URL


def is_drive(address: str) -> bool:
    """Whether gdown must fetch it: a Google Drive address, or a bare file id as older VietOCR configs have."""
    return urlsplit(address).hostname in ("drive.google.com", "docs.google.com") or "/" not in address


def _from_web(url: str, part: Path) -> None:
    _check_scheme(url)
    for attempt in range(1, TRIES + 1):
        before = part.stat().st_size if part.exists() else 0
        try:
            _get_rest(url, part)
            return
        except _Broken:
            after = part.stat().st_size if part.exists() else 0
            if attempt == TRIES or after <= before:
                raise


def _get_rest(url: str, part: Path) -> None:
    """Append what `part` lacks; begin anew where the server cannot send a rest."""
    start = part.stat().st_size if part.exists() else 0
    try:
        response = _open(url, {"Range": f"bytes={start}-"} if start else {})
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise _Broken(f"the server answers {error.code} {error.reason}") from error
        if error.headers.get("Content-Range") == f"bytes */{start}":
            return None  # nothing is missing
        part.unlink()  # longer than the file is: a leftover of something else
        return _get_rest(url, part)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error)) from error
    with response:
        if not (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
            start = 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=part.name.rsplit(".", 2)[0], miniters=1)
        with part.open("ab" if start else "wb") as stream, bar:
            for chunk in _chunks(response):
                stream.write(chunk)
                bar.update(len(chunk))
    if total is not None and (size := part.stat().st_size) != total:
        raise _Broken(f"the connection ended after {size:,} of {total:,} bytes")


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    # Only what the network raises becomes _Broken: a full disk is another matter.
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(_reason(error)) from error
        if not chunk:
            return
        yield chunk


def _from_drive(address: str, part: Path) -> None:
    import gdown  # only for Google Drive: it needs a cookie dance that plain HTTP does not do

    drive_id = None if "/" in address else address
    try:
        gdown.download(url=None if drive_id else address, id=drive_id, output=str(part), resume=True)
    except (gdown.exceptions.DownloadError, OSError) as error:
        raise _Broken(_reason(error)) from error


def _open(url: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "quantvietocr"} | (headers or {}))
    return urllib.request.build_opener(_SafeRedirects).open(request, timeout=TIMEOUT_S)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are followed to https alone, like the first address."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
        raise FetchError(f"{url}: only https addresses are downloaded from; give one.")


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", error)
    return (str(inner) or type(error).__name__).splitlines()[0].rstrip(".")
