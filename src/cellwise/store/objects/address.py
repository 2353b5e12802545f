"""Addresses of object stores: what of them is taken, and why the rest is not.

An address names a bucket and a folder in it, and nothing else. Who may read it is settled by the
surroundings of the process, so that no address is a secret and each may stand in a record.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from cellwise.errors import UsageError

STORES = {"s3": "S3", "gs": "Google Cloud Storage"}
"""Protocols that are read, with their names."""
PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}
"""The package that each takes, which the extra of the protocol's name installs."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_CHAINED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::")
# What a path object makes of an address.
_COLLAPSED = re.compile(r"(s3|s3a|s3n|gs|gcs|https?|ftp|file|memory|zip|abfss?|az):/[^/]", re.I)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_CURES = {
    "s3a": "Write s3://.",
    "s3n": "Write s3://.",
    "gcs": "Write gs://.",
    "file": "Give the path itself, without file://.",
    "zip": "Give the path of the zip file itself, such as plate1.zip.",
}
_FETCH_FIRST = "Fetch the images into a folder first, and give that folder."


@dataclass(frozen=True, slots=True)
class Address:
    """A folder of a bucket, or the whole bucket.

    Args:
        protocol: One of `STORES`.
        bucket: The bucket.
        path: The folder or object in it, without slashes at its ends; empty for the whole bucket.
    """

    protocol: str
    bucket: str
    path: str

    def __str__(self) -> str:
        return f"{self.protocol}://{self.bucket}{f'/{self.path}' if self.path else ''}"

    @property
    def name(self) -> str:
        """The last part: what a folder of these images is called."""
        return self.path.rpartition("/")[2] or self.bucket


def looks_like_address(text: str) -> bool:
    """Whether a text is meant as an address of any kind, and not as a path."""
    if _ADDRESS.match(text) or _CHAINED.match(text):
        return True
    return bool(_COLLAPSED.match(text)) and not Path(text).exists()


def parse_address(text: str) -> Address:
    """The address that a text names.

    Raises:
        UsageError: It is of another kind, or holds more than a bucket and a folder. What may be a
            password is not repeated.
    """
    found = _ADDRESS.match(text)
    if _CHAINED.match(text) or (found and "::" in found[2]):
        raise UsageError(
            "Chained addresses (with ::) are not read. "
            f"Name one of {_kinds()} or a zip file on this machine."
        )
    if found is None:
        raise UsageError(
            f"An address has two slashes after its colon, {text.split('/')[0]} here has one. In "
            "Python give it as a text: a Path drops one."
        )
    protocol, rest = found[1].lower(), found[2]
    if protocol not in STORES:
        raise UsageError(
            f"{protocol}:// is not read; there is: {_kinds()}, a folder and a zip file on this "
            f"machine. {_CURES.get(protocol, _FETCH_FIRST)}"
        )
    bucket, _, path = rest.partition("/")
    if "@" in bucket or ":" in bucket:
        raise UsageError(
            f"This {protocol}:// address holds more than a bucket before its first slash. Names, "
            "passwords and servers do not belong in an address, which is written down with the "
            "run: set them in the environment (AWS_PROFILE or AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL; "
            "GOOGLE_APPLICATION_CREDENTIALS)."
        )
    if "?" in path or "?" in bucket:
        raise UsageError(
            f"This {protocol}:// address holds a question mark: signatures and versions are not "
            f"read from an address. Write {protocol}://BUCKET/FOLDER."
        )
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(
            f"{bucket!r} is no name of a bucket. Write {protocol}://BUCKET/FOLDER, such as "
            f"{protocol}://my-screen/plate1."
        )
    path = path.rstrip("/")
    if path and any(part in ("", ".", "..") for part in path.split("/")):
        raise UsageError(
            f"{protocol}://{bucket}/... holds an empty part, '.' or '..' between its slashes. "
            "Write the whole name of one folder."
        )
    if not path.isprintable():
        raise UsageError(f"This {protocol}:// address holds a character that cannot be shown.")
    return Address(protocol, bucket, path)


def refuse_address(path: Path | str | None, option: str) -> None:
    """Refuse an address where only a place on a file system can be used.

    Raises:
        UsageError: It is one.
    """
    if path is not None and looks_like_address(str(path)):
        raise UsageError(
            f"{option} names a place on a file system, and this is an address. Write to a folder "
            "of this machine, and copy it from there when it is done."
        )


def _kinds() -> str:
    return " and ".join(f"{protocol}://" for protocol in STORES)
