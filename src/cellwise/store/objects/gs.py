"""Folders of Google Cloud Storage, through gcsfs.

Credentials are those of the environment (`GOOGLE_APPLICATION_CREDENTIALS`, `gcloud auth`, the
machine's own), as Google's library finds them; none is read here, and none can be written down.
"""

import base64
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cellwise.errors import CellwiseError, Interrupted, PreflightError
from cellwise.store.objects.address import Address
from cellwise.store.objects.patience import Patience
from cellwise.store.objects.source import Damaged, Entry, Other

_PIECE = 8 << 20
_BUSY = (408, 429, 500, 502, 503, 504)
_FIELDS = "nextPageToken,items(name,size,md5Hash,crc32c,etag,generation)"
_ADVICE = {
    401: "The credentials are refused, or none were found. Set GOOGLE_APPLICATION_CREDENTIALS, or "
    "call `gcloud auth application-default login`. For a bucket that is open to all set "
    """FSSPEC_GS='{"token": "anon"}'.""",
    403: "Reading it is not allowed with these credentials. It takes the role Storage Object "
    "Viewer.",
    404: "There is no such bucket. Look at its name.",
}


class GsSource:
    """The objects below a folder of a bucket.

    Args:
        address: The folder.
        patience: Limits of every wait.

    Raises:
        PreflightError: gcsfs is not installed, or what the environment says cannot be used.
    """

    def __init__(self, address: Address, patience: Patience | None = None) -> None:
        self._of, self._patience = address, patience or Patience()
        self._files = _file_system(str(address), self._patience)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._of.name

    @property
    def address(self) -> str:
        """The address."""
        return str(self._of)

    def pages(self) -> Iterator[Sequence[Entry]]:
        """Objects below the folder by pages of the server, at most 1,000 each."""
        prefix = f"{self._of.path}/" if self._of.path else ""
        more: dict[str, str] = {}
        while True:
            page = self._listed(prefix, more)
            yield [_entry(row, prefix) for row in page.get("items", ())]
            if "nextPageToken" not in page:
                return
            more = {"pageToken": page["nextPageToken"]}

    def single(self) -> Entry | None:
        """The object whose whole name is the address; None where there is none."""
        page = self._listed(self._of.path, {"maxResults": "1"})
        rows = [row for row in page.get("items", ()) if row["name"] == self._of.path]
        home = self._of.path.rpartition("/")[0]
        return _entry(rows[0], f"{home}/" if home else "") if rows else None

    def content(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of an object, as listed and no other; see `Source`."""
        seen = hashlib.md5(usedforsecurity=False)
        start = 0
        while start < entry.size:
            stop = min(start + _PIECE, entry.size)
            piece = self._piece(entry, start, stop)
            seen.update(piece)
            yield piece
            start = stop
        kind, _, known = entry.tag.partition(":")
        if kind == "md5" and base64.b64encode(seen.digest()).decode() != known:
            raise Damaged(entry.name)

    def close(self) -> None:
        """Close the connections."""
        session = getattr(self._files, "_session", None)
        if session is not None:
            self._files.close_session(self._files.loop, session)

    def _listed(self, prefix: str, more: Mapping[str, str]) -> Any:
        try:
            return self._files.call(
                "GET", "b/{}/o", self._of.bucket, prefix=prefix, fields=_FIELDS, json_out=True,
                **more,
            )  # fmt: skip
        except Exception as error:
            raise self._refused(error) from error

    def _piece(self, entry: Entry, start: int, stop: int) -> bytes:
        place = f"{self._of.bucket}/{entry.key}"

        def ask() -> bytes:
            _, piece = self._files.call(
                "GET",
                self._files.url(place),
                headers={"Range": f"bytes={start}-{stop - 1}"},
                ifGenerationMatch=entry.version,
            )
            if len(piece) != stop - start:
                raise ConnectionResetError(f"{len(piece)} of {stop - start} bytes came")
            return bytes(piece)

        try:
            return self._patience.answer(ask, _may_pass)
        except FileNotFoundError as error:
            raise Other(entry.name) from error
        except Exception as error:
            status = _status(error)
            if isinstance(error, FileExistsError) or status in (404, 412):
                raise Other(entry.name) from error
            if status in _ADVICE:
                raise self._refused(error, f"gs://{place}") from error
            raise Interrupted(
                f"gs://{place} cannot be fetched: {_words(error)}. What came is kept; the same "
                "command continues."
            ) from error

    def _refused(self, error: Exception, place: str = "") -> CellwiseError:
        place, status = place or str(self._of), _status(error)
        if status in _ADVICE:
            return PreflightError(f"{place}: {_ADVICE[status]}")
        return PreflightError(
            f"{place} cannot be listed: {_words(error)}. Look at the network, then give the same "
            "command again."
        )


def _entry(row: Mapping[str, Any], prefix: str) -> Entry:
    """An object; its ETag would change with remarks about it, so its checksum is the tag."""
    tag = (
        f"md5:{row['md5Hash']}"
        if "md5Hash" in row
        else f"crc32c:{row['crc32c']}"
        if "crc32c" in row
        else f"etag:{row['etag']}"
    )
    name = str(row["name"])
    return Entry(name.removeprefix(prefix), int(row["size"]), tag, name, str(row["generation"]))


def _file_system(place: str, patience: Patience) -> Any:
    try:
        # Not the class of the package's door: that one asks for more than objects.
        from gcsfs.core import GCSFileSystem
    except ImportError as error:
        raise PreflightError(
            f"Reading gs:// takes a package that is not installed: {error}. "
            "pip install 'cellwise[gs]'"
        ) from error
    # It would print a traceback before our one line.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    try:
        return GCSFileSystem(
            access="read_only", requests_timeout=patience.read, skip_instance_cache=True
        )
    except Exception as error:
        raise PreflightError(f"{place}: {_ADVICE[401]}") from error


def _may_pass(error: Exception) -> bool:
    """Whether another try may do without this error."""
    from aiohttp import ClientError as HttpError
    from fsspec.exceptions import FSTimeoutError

    cut = isinstance(error, (HttpError, FSTimeoutError, TimeoutError, ConnectionError))
    return cut or _status(error) in _BUSY


def _status(error: BaseException) -> int:
    """The server's number for what is wrong; 0 where it said none."""
    if isinstance(error, FileNotFoundError):
        return 404
    if isinstance(error, OSError) and str(error).startswith("Forbidden"):
        return 403
    code = str(getattr(error, "code", None) or getattr(error, "status", None))
    return int(code) if code.isdigit() else 0


def _words(error: BaseException) -> str:
    """An error in one line, without the rest of a request."""
    status = _status(error)
    if status:
        return f"the server says {status}"
    return str(error).split("?")[0].split("\n")[0].strip().rstrip(".") or type(error).__name__
