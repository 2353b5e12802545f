"""Addresses of object stores where a command knows only files: refused before they become names."""

from collections.abc import Sequence

from cellwise.errors import UsageError

# These take addresses, and say themselves where one does not belong.
_TAKE_THEM = ("check", "run", "predict")
_STORES = ("s3://", "gs://", "s3a://", "gcs://")


def refuse_addresses(words: Sequence[str]) -> None:
    """Refuse addresses in the words of a command that takes none.

    As a path `s3://bucket` would be a folder `s3:` here, and results would lie in it.

    Raises:
        UsageError: There is one; it is not repeated, as a password may stand in it.
    """
    if not words or words[0] in _TAKE_THEM:
        return
    for word in words[1:]:
        if word.rpartition("=")[2].lower().startswith(_STORES):
            raise UsageError(
                f"`cellwise {words[0]}` reads and writes folders of this machine, and this is an "
                "address. Copy it before or afterwards."
            )
