"""Folders of S3 and of whatever speaks its language, through s3fs.

Credentials, region and server are those of the environment (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`,
`AWS_ENDPOINT_URL`, roles), as botocore finds them; none is read here, and none can be written down.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cellwise.errors import CellwiseError, Interrupted, PreflightError
from cellwise.store.objects.address import Address
from cellwise.store.objects.patience import Patience
from cellwise.store.objects.source import Damaged, Entry, Other

_PIECE = 8 << 20
_MD5 = re.compile(r"[0-9a-f]{32}")
_ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
_ADVICE = {
    "NoSuchBucket": "There is no such bucket. Look at its name, and at AWS_ENDPOINT_URL if the "
    "server is not Amazon's.",
    "AccessDenied": "Reading it is not allowed with these credentials. It takes the rights to list "
    "the bucket and to get its objects.",
    "InvalidAccessKeyId": "The server does not know this access key. Look at AWS_ACCESS_KEY_ID or "
    "AWS_PROFILE, and at AWS_ENDPOINT_URL if the server is not Amazon's.",
    "SignatureDoesNotMatch": "The server refuses the signature: the secret key is another one.",
    "ExpiredToken": "The credentials have expired. Get new ones and give the same command again.",
    "AuthorizationHeaderMalformed": "The bucket lies in another region. Set AWS_REGION.",
    "PermanentRedirect": "The bucket lies in another region. Set AWS_REGION.",
    "InvalidObjectState": "It lies in an archive. Restore it there first.",
    "RequestTimeTooSkewed": "The clock of this machine is wrong.",
}
_SAME = {
    "403": "AccessDenied",
    "AllAccessDisabled": "AccessDenied",
    "Forbidden": "AccessDenied",
    "InvalidToken": "ExpiredToken",
    "TokenRefreshRequired": "ExpiredToken",
    "301": "PermanentRedirect",
    "404": "NoSuchBucket",
}
_BUSY = ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503")
_GONE = ("NoSuchKey", "PreconditionFailed", "412", "404")
_NO_CREDENTIALS = (
    "No credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. "
    """For a bucket that is open to all set FSSPEC_S3='{"anon": true}'."""
)


class S3Source:
    """The objects below a folder of a bucket.

    Args:
        address: The folder.
        patience: Limits of every wait.

    Raises:
        PreflightError: s3fs is not installed, or what the environment says cannot be used.
    """

    def __init__(self, address: Address, patience: Patience | None = None) -> None:
        self._of, self._patience = address, patience or Patience()
        self._files = _file_system(self._patience)

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
            try:
                page = self._files.call_s3(
                    "list_objects_v2", Bucket=self._of.bucket, Prefix=prefix, **more
                )
            except Exception as error:
                raise self._refused(error) from error
            yield [self._entry(row, prefix) for row in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def single(self) -> Entry | None:
        """The object whose whole name is the address; None where there is none."""
        try:
            page = self._files.call_s3(
                "list_objects_v2", Bucket=self._of.bucket, Prefix=self._of.path, MaxKeys=1
            )
        except Exception as error:
            raise self._refused(error) from error
        rows = [row for row in page.get("Contents", ()) if row["Key"] == self._of.path]
        home = self._of.path.rpartition("/")[0]
        return self._entry(rows[0], f"{home}/" if home else "") if rows else None

    def content(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of an object, as listed and no other; see `Source`."""
        seen = hashlib.md5(usedforsecurity=False)
        start, plain = 0, True
        while start < entry.size:
            stop = min(start + _PIECE, entry.size)
            piece, is_plain = self._piece(entry, start, stop)
            plain = plain and is_plain
            seen.update(piece)
            yield piece
            start = stop
        # Of objects that came in parts, or that are encrypted with a key of one's own, the tag is
        # another sum.
        if plain and entry.size and _MD5.fullmatch(entry.tag) and seen.hexdigest() != entry.tag:
            raise Damaged(entry.name)

    def close(self) -> None:
        """Close the connections."""
        client = getattr(self._files, "_s3", None)
        if client is not None:
            self._files.close_session(self._files.loop, client)

    def _piece(self, entry: Entry, start: int, stop: int) -> tuple[bytes, bool]:
        """Some bytes of an object, and whether its tag is the MD5 of all of them."""
        from fsspec.asyn import sync

        whole = stop - start == entry.size
        wanted = {} if whole else {"Range": f"bytes={start}-{stop - 1}"}

        def ask() -> tuple[bytes, bool]:
            answer = self._files.call_s3(
                "get_object",
                Bucket=self._of.bucket,
                Key=entry.key,
                IfMatch=f'"{entry.version}"',
                **wanted,
            )
            body, loop = answer["Body"], self._files.loop
            try:
                piece = sync(loop, body.read, timeout=self._patience.read * 10)
            except BaseException:
                loop.call_soon_threadsafe(body.close)
                raise
            if len(piece) != stop - start:
                raise ConnectionResetError(f"{len(piece)} of {stop - start} bytes came")
            keys = answer.get("SSECustomerAlgorithm"), answer.get("ServerSideEncryption")
            return piece, keys[0] is None and keys[1] in (None, "AES256")

        try:
            return self._patience.answer(ask, _may_pass)
        except Exception as error:
            raise self._lost(entry, error) from error

    def _lost(self, entry: Entry, error: Exception) -> Exception:
        """What an object that cannot be had means."""
        code = _code(error)
        if code in _GONE or isinstance(error, FileNotFoundError):
            return Other(entry.name)
        place = f"s3://{self._of.bucket}/{entry.key}"
        if code in _ADVICE or code in _SAME or isinstance(error, PermissionError):
            return self._refused(error, place)
        return Interrupted(
            f"{place} cannot be fetched: {_words(error)}. What came is kept; the "
            "same command continues."
        )

    def _entry(self, row: Mapping[str, Any], prefix: str) -> Entry:
        key, tag = str(row["Key"]), str(row["ETag"]).strip('"')
        if row.get("StorageClass") in _ARCHIVED and int(row["Size"]):
            raise PreflightError(
                f"s3://{self._of.bucket}/{key} lies in an archive ({row['StorageClass']}). Restore "
                "the folder there first."
            )
        return Entry(key.removeprefix(prefix), int(row["Size"]), tag, key, tag)

    def _refused(self, error: Exception, place: str = "") -> CellwiseError:
        place, code = place or str(self._of), _code(error)
        kind = type(error).__name__
        if kind in ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError"):
            return PreflightError(f"{place}: {_NO_CREDENTIALS}")
        if kind == "ProfileNotFound":
            return PreflightError(f"{place}: {error}. Look at AWS_PROFILE.")
        if isinstance(error, PermissionError) and code not in _ADVICE:
            code = _SAME.get(code, "AccessDenied")
        code = _SAME.get(code, code)
        if code in _ADVICE:
            return PreflightError(f"{place}: {_ADVICE[code]}")
        if isinstance(error, FileNotFoundError):
            return PreflightError(f"{place}: {_ADVICE['NoSuchBucket']}")
        return PreflightError(
            f"{place} cannot be listed: {_words(error)}. Look at the network and, if the server is "
            "not Amazon's, at AWS_ENDPOINT_URL; then give the same command again."
        )


def _file_system(patience: Patience) -> Any:
    try:
        import s3fs
    except ImportError as error:
        raise PreflightError(
            f"Reading s3:// takes a package that is not installed: {error}. "
            "pip install 'cellwise[s3]'"
        ) from error
    config = {
        "connect_timeout": patience.connect,
        "read_timeout": patience.read,
        "retries": {"mode": "standard", "total_max_attempts": 1},
    }
    try:
        found = s3fs.S3FileSystem(config_kwargs=config, skip_instance_cache=True)
    except (TypeError, ValueError) as error:
        raise PreflightError(
            f"S3 cannot be asked with what the environment says: {error}"
        ) from error
    found.retries = 3
    return found


def _may_pass(error: Exception) -> bool:
    """Whether another try may do without this error."""
    from aiohttp import ClientError as HttpError
    from botocore.exceptions import HTTPClientError, IncompleteReadError
    from fsspec.exceptions import FSTimeoutError

    ours = (HTTPClientError, IncompleteReadError, HttpError, FSTimeoutError)
    cut = (TimeoutError, ConnectionError, asyncio.IncompleteReadError)
    return isinstance(error, ours + cut) or _code(error) in _BUSY


def _code(error: BaseException) -> str:
    """The server's word for what is wrong; empty where it said none."""
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _words(error: BaseException) -> str:
    """An error in one line; requests are not repeated, signatures may stand in them."""
    code = _code(error)
    if code:
        return f"the server says {code}"
    text = str(error).split("?")[0].replace('"', "").strip().rstrip(".")
    return text or type(error).__name__
