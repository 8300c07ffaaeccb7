"""Download weights that VietOCR publishes: tried again where it breaks, checked by content, put in place last."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from tqdm import tqdm

from ..common.parsing import yaml_of
from ..errors import UserError

#: VietOCR's own config, whose `weights:` says where they are; and what it said when this was written.
CONFIG_URL = "https://vocr.vn/data/vietocr/config/vgg-seq2seq.yml"
WEIGHTS_URL = "https://vocr.vn/data/vietocr/vgg_seq2seq.pth"
#: The same of the other network.
TRANSFORMER_CONFIG_URL = "https://vocr.vn/data/vietocr/config/vgg-transformer.yml"
TRANSFORMER_URL = "https://vocr.vn/data/vietocr/vgg_transformer.pth"
#: Of the seq2seq file; of the other one none is known here. sha1 over b"blob <size>\0" + content, as git names a file's
#: content.
BLOB_ID = "5de70553163f861f68bf22bdc681afe8a433e79a"
TIMEOUT = 30  # seconds without an answer
TRIES = 3
MAX_CONFIG_BYTES = 1 << 20  # of VietOCR's config that are read; it has about 1,000
LOCAL = ("localhost", "127.0.0.1", "::1")


class FetchError(UserError):
    """The weights could not be fetched; the message says why and what to do instead."""


def fetch(
    out: str | os.PathLike, url: str | None = None, blob_id: str | None = None, network: str = "vgg_seq2seq"
) -> Path:
    """Download the weights; nothing is downloaded where the right file lies already.

    A download that breaks is tried again. A file that is not the wanted one is deleted.

    Args:
        out: where to put them.
        url: take this address instead of the one in VietOCR's config (a Google Drive id or address goes through gdown).
        blob_id: the git blob id the file must have; by default that of VietOCR's published file, where it is known, and
            with a `url` of your own none: the file is then taken as it comes, and stderr says so.
        network: `vgg_seq2seq` or `vgg_transformer`.

    Returns:
        The path `out`.

    Raises:
        FetchError: if it cannot be had, or is another file.
    """
    out = Path(out)
    if blob_id is not None and not re.fullmatch("[0-9a-f]{40}", blob_id):
        raise FetchError(
            f"{blob_id!r} is not a git blob id: give 40 hexadecimal digits, as `git hash-object FILE` prints."
        )
    known = BLOB_ID if network == "vgg_seq2seq" else None
    wanted = blob_id or (known if url is None else None)
    if out.exists():
        if wanted and out.is_file() and git_blob_id(out) == wanted:
            tqdm.write(f"{out} is there already, with the right content.")
            return out
        raise FetchError(
            f"{out} exists and {'is another file' if wanted else 'may be any file'}: move it away, or choose "
            "another --out."
        )
    address = url or published_address(network)
    with _folder_beside(out) as folder:
        part = folder / out.name
        try:
            _download(address, part)
        except requests.exceptions.RequestException as error:
            raise FetchError(
                f"{address} could not be downloaded ({_reason(error)}). Without a network here: download it elsewhere, "
                f"with a browser, and put it at {out}; or train with weights of your own (a .pth of VietOCR's "
                "vgg_seq2seq or vgg_transformer)."
            ) from error
        if wanted is None:
            tqdm.write(f"{address} was taken as it came: give --blob-id to have its content checked.")
        elif (blob := git_blob_id(part)) != wanted:
            raise FetchError(
                f"{address} gave another file than the expected one ({part.stat().st_size:,} bytes with git blob id "
                f"{blob}, not {wanted}); it was deleted. Try again; if the weights were published anew, name the "
                "address with --url to take them as they are."
            )
        os.replace(part, out)
    return out


@contextmanager
def _folder_beside(out: Path) -> Iterator[Path]:
    """A folder on the same disk as `out`, empty at the start and gone at the end; pooch has temporary files in it."""
    folder = out.with_name(f"{out.name}.part")
    _remove(folder)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def git_blob_id(path: str | os.PathLike) -> str:
    """The name git gives a file's content: sha1 over ``blob <size>\\0`` and the bytes, in hex."""
    digest = hashlib.sha1(b"blob %d\0" % os.path.getsize(path), usedforsecurity=False)
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def published_address(network: str = "vgg_seq2seq") -> str:
    """Where VietOCR's config says a network's weights are; the address known from it where it cannot be had."""
    addresses = {"vgg_seq2seq": (CONFIG_URL, WEIGHTS_URL), "vgg_transformer": (TRANSFORMER_CONFIG_URL, TRANSFORMER_URL)}
    config, known = addresses[network]
    try:
        with requests.get(config, timeout=TIMEOUT, stream=True, hooks={"response": _check_redirect}) as response:
            response.raise_for_status()
            address = yaml_of(next(response.iter_content(MAX_CONFIG_BYTES), b""))["weights"]
    except (FetchError, requests.exceptions.RequestException, ValueError, KeyError, TypeError):
        return known
    return address if isinstance(address, str) and address else known


def is_drive(address: str) -> bool:
    """Whether gdown must fetch it: a Google Drive address, or a bare file id as older VietOCR configs have."""
    return urlsplit(address).hostname in ("drive.google.com", "docs.google.com") or "/" not in address


def _download(address: str, part: Path) -> None:
    """Bring the file to `part`, whole or not at all. Raises FetchError, RequestException."""
    drive = is_drive(address)
    if not drive:
        _check_scheme(address)
    pooch.get_logger().setLevel(logging.WARNING)
    files = pooch.create(
        part.parent, "", registry={part.name: None}, urls={part.name: address}, retry_if_failed=TRIES - 1
    )
    web = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT, hooks={"response": _check_redirect})
    files.fetch(part.name, downloader=_from_drive if drive else web)


def _from_drive(address: str, part: str, _: object) -> None:
    import gdown  # only for Google Drive: it needs a cookie dance that plain HTTP does not do

    drive_id = None if "/" in address else address
    try:
        gdown.download(url=None if drive_id else address, id=drive_id, output=part)
    except (gdown.exceptions.DownloadError, OSError) as error:
        raise requests.exceptions.RequestException(_reason(error)) from error


def _check_redirect(response: requests.Response, **_: object) -> None:
    """Redirects are followed to https alone, like the first address."""
    if response.is_redirect:
        _check_scheme(urljoin(response.url, response.headers["Location"]))


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
        raise FetchError(f"{url}: only https addresses are downloaded from; give one.")


def _reason(error: BaseException) -> str:
    """The innermost reason in one line: requests wraps that of the socket several times."""
    inner = error
    while isinstance(deeper := getattr(inner, "reason", None) or next(iter(inner.args), None), BaseException):
        inner = deeper
    answer = getattr(inner, "response", None)
    if answer is not None:
        return f"the server answers {answer.status_code} {answer.reason}"
    return (str(inner) or type(inner).__name__).splitlines()[0].rstrip(".")
