"""Every error that cellwise raises on purpose, with the exit code it leads to.

Each class has two parents: `CellwiseError`, so that one `except` catches them all, and the built-in
class that fits, so that ordinary Python code can handle it without knowing cellwise.
"""


class CellwiseError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command ends with."""

    exit_code = 1


class UsageError(CellwiseError, ValueError):
    """A wrong word or setting: nothing was started."""

    exit_code = 2


class UnknownName(UsageError, KeyError):
    """A part, recipe, layout or class of this name does not exist."""

    # KeyError would print its text in quotes.
    __str__ = Exception.__str__


class BadOption(UsageError):
    """A part has no such option, or the option cannot take this value."""


class BrokenContract(UsageError, TypeError):
    """A component is not what its kind promises.

    Args:
        component: Kind and name, such as `loss 'focal'`.
        rule: What holds for every component of the kind.
        seen: What this one does instead.
    """

    def __init__(self, component: str, rule: str, seen: str) -> None:
        # All arguments are kept, so that the error survives pickling between processes.
        super().__init__(component, rule, seen)
        self.component, self.rule, self.seen = component, rule, seen

    def __str__(self) -> str:
        return f"{self.component} breaks its contract: {self.rule}. Seen: {self.seen}."


class PreflightError(CellwiseError, ValueError):
    """The input was understood and refused before any work."""

    exit_code = 4


class RunLocked(PreflightError):
    """Another process works in this run folder."""


class FormatError(CellwiseError, ValueError):
    """A stored file is of another kind or version than asked for."""

    exit_code = 4


class StorageError(CellwiseError, OSError):
    """The output could not be written (full, read-only); the same command resumes."""

    exit_code = 5


class Interrupted(CellwiseError, RuntimeError):
    """Stopped from outside; the same command resumes."""

    exit_code = 5


class InputError(CellwiseError, ValueError):
    """One input is unusable: it is quarantined with its reason and the rest goes on.

    Args:
        reason: What is wrong, in words.
        code: A short fixed word for tables, such as `truncated` or `channel_missing`.
        remedy: What the user can do about it.
        path: The file or site the error is about.
    """

    exit_code = 3

    def __init__(self, reason: str, *, code: str, remedy: str = "", path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.remedy = remedy
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between processes.
        return (_rebuild_input_error, (type(self), self.reason, self.code, self.remedy, self.path))


def _rebuild_input_error(
    kind: type[InputError], reason: str, code: str, remedy: str, path: str
) -> InputError:
    return kind(reason, code=code, remedy=remedy, path=path)
