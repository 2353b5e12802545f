"""Passwords of viewers and editors: asked for, or read from a file that its owner alone can read.

In memory they are argon2id hashes, and a file may hold such hashes in place of the passwords.
"""

import getpass
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import BoundedSemaphore

from cellwise.app.view.access.sessions import Role
from cellwise.errors import PreflightError, UsageError

SHORTEST = 8
"""Letters that a password has at least."""
LONGEST = 1000
# Each check takes 64 MB of memory for a moment.
_AT_ONCE = 2


class Passwords:
    """What lets people in, and as what.

    Args:
        said: A password for each role, or its argon2 hash.

    Raises:
        UsageError: A password is too short, two are the same, or a hash is torn.
    """

    def __init__(self, said: Mapping[Role, str]) -> None:
        from argon2 import PasswordHasher

        plain = [text for text in said.values() if not text.startswith("$argon2")]
        if len(set(plain)) < len(plain):
            raise UsageError("The passwords of viewers and editors must be two different ones.")
        self._hasher = PasswordHasher()
        self._hashes = {role: self._hash(role, text) for role, text in said.items()}
        self._few = BoundedSemaphore(_AT_ONCE)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that have one."""
        return tuple(self._hashes)

    def role_of(self, password: str) -> Role | None:
        """What this password lets people do; None where it is none of them.

        All are compared whatever the first one says, so that the time tells nothing.
        """
        from argon2.exceptions import Argon2Error

        found: Role | None = None
        with self._few:
            for role, known in self._hashes.items():
                try:
                    self._hasher.verify(known, password[:LONGEST])
                except Argon2Error:
                    continue
                if found is not Role.EDITOR:
                    found = role
        return found

    def _hash(self, role: Role, text: str) -> str:
        from argon2 import extract_parameters
        from argon2.exceptions import InvalidHashError

        if not text.startswith("$argon2"):
            if not SHORTEST <= len(text) <= LONGEST:
                raise UsageError(
                    f"The password of {role}s has {len(text)} letters; give {SHORTEST} to "
                    f"{LONGEST} of them."
                )
            return self._hasher.hash(text)
        try:
            extract_parameters(text)
        except InvalidHashError as error:
            raise UsageError(f"The argon2 hash of {role}s is damaged.") from error
        return text


def read_passwords(path: Path, *, edit: bool = False) -> Passwords:
    """The passwords of a file with the lines `viewer: PASSWORD` and `editor: PASSWORD`.

    Args:
        path: The file.
        edit: Whether there are editors, who need a password.

    Raises:
        PreflightError: There is no such file.
        UsageError: Others may read it, or a line cannot be understood; what it says is not shown.
    """
    try:
        with path.open(encoding="utf-8") as handle:
            facts = os.fstat(handle.fileno())
            if os.name == "posix" and stat.S_IMODE(facts.st_mode) & 0o077:
                raise UsageError(
                    f"{path} can be read by others (mode {stat.S_IMODE(facts.st_mode):04o}). "
                    f"Say `chmod 600 {path}`, and choose new passwords if others may have seen it."
                )
            lines = handle.read(64 * 1024).splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8.") from error
    except OSError as error:
        raise PreflightError(f"{path} cannot be read ({error.strerror}).") from error
    said: dict[Role, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, text = line.partition(":")
        if not colon or name.strip() not in set(Role):
            raise UsageError(f"{path}, line {number}: write `viewer: PASSWORD` or `editor: ...`.")
        role = Role(name.strip())
        if role in said:
            raise UsageError(f"{path}, line {number}: {role} has a password already.")
        said[role] = text.strip()
    if not said:
        raise UsageError(f"{path} holds no password: write a line `viewer: PASSWORD`.")
    if edit and Role.EDITOR not in said:
        raise UsageError(
            f"--edit gives nobody the right to edit: {path} has no line `editor: PASSWORD`."
        )
    return Passwords(said)


def ask_passwords(
    *, edit: bool, ask: Callable[[str], str] = getpass.getpass, terminal: bool | None = None
) -> Passwords:
    """The passwords that the person at the terminal types, twice each.

    Args:
        edit: Whether there are editors; they get a password of their own.
        ask: Asks for a line that is not shown.
        terminal: Whether somebody can type; found out where not said.

    Raises:
        UsageError: Nobody can type here, or the two differ.
    """
    if not (sys.stdin.isatty() if terminal is None else terminal):
        raise UsageError(
            "People of other machines need a password, and nobody can type one here. Give "
            "--password-file FILE (mode 0600) with a line `viewer: PASSWORD`."
        )
    said = {}
    for role in (Role.VIEWER, Role.EDITOR) if edit else (Role.VIEWER,):
        said[role] = ask(f"Password of {role}s: ")
        if ask("The same again: ") != said[role]:
            raise UsageError("These were two different passwords; nothing was started.")
    return Passwords(said)
