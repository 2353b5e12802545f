"""A component under test: how it is built, what it is called, and the rules that all share."""

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellwise.errors import BadOption, BrokenContract
from cellwise.registry import call_build

# Numbers that few options can take; `build` must know whether it does.
_ODD = (-1, 0, 10**9, -0.5, math.nan, math.inf)


@dataclass(frozen=True, slots=True)
class Component:
    """A component of some kind with the options it is built with."""

    kind: str
    build: Callable[..., Any]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What messages call it: its kind and the name of its file."""
        return f"{self.kind} {self.build.__module__.rpartition('.')[2]!r}"

    @property
    def needs(self) -> tuple[str, ...]:
        """What its file asks of its neighbours, such as `vectors`."""
        return tuple(getattr(sys.modules[self.build.__module__], "NEEDS", ()))

    def make(self, kind: type | None = None) -> Any:
        """The component, after its signature was checked.

        Args:
            kind: What `build` gives an instance of; None for something that can be called.
        """
        self._check_signature()
        made = call_build(self.name, self.build, dict(self.options))
        if kind is None:
            self.need(
                callable(made) or hasattr(made, "bind"),
                "build gives something to be called",
                repr(made),
            )
        else:
            rule = f"build gives a {kind.__name__}"
            self.need(isinstance(made, kind), rule, type(made).__name__)
        self._check_odd_options()
        return made

    def need(self, holds: object, rule: str, seen: object) -> None:
        """Refuse the component where a rule does not hold."""
        if not holds:
            raise BrokenContract(self.name, rule, str(seen))

    def need_equal(self, first: Any, second: Any, rule: str) -> None:
        """Two results that a rule says are equal, as far as rounding allows."""
        one, two = np.asarray(first), np.asarray(second)
        if one.shape != two.shape:
            raise BrokenContract(self.name, rule, f"shapes {one.shape} and {two.shape}")
        near = np.isclose(one, two, rtol=1e-4, atol=1e-5, equal_nan=True)
        if not near.all():
            place = tuple(int(axis[0]) for axis in np.nonzero(~near))
            raise BrokenContract(self.name, rule, f"{one[place]} and {two[place]} at {place}")

    def need_finite(self, values: Any, what: str) -> None:
        """Numbers without NaN and infinity."""
        found = np.asarray(values)
        odd = found[~np.isfinite(found)]
        self.need(not odd.size, f"{what} are finite", f"{odd[:1]} among {found.size} values")

    def need_refused(self, call: Callable[[], Any], by: type[Exception], rule: str) -> None:
        """What cannot be is refused with the error that a rule says."""
        try:
            call()
        except by:
            return
        except Exception as error:  # Any other is what a component should not raise.
            said = f"{type(error).__name__}: {error}"
            raise BrokenContract(self.name, f"{rule} with {by.__name__}", said) from error
        raise BrokenContract(self.name, f"{rule} with {by.__name__}", "no error")

    def _check_signature(self) -> None:
        page = inspect.getdoc(sys.modules[self.build.__module__]) or ""
        own = inspect.getdoc(self.build) or ""
        first = page.split("\n")[0]
        self.need(first.endswith("."), "its file begins with a sentence on what it is", first)
        self.need("Source" in page + own, "its docstring names its source", "no word 'Source'")
        self.need(own, "build has a docstring", "none")
        for option in inspect.signature(self.build).parameters.values():
            word = f"option {option.name!r}"
            plain = option.kind in (option.POSITIONAL_OR_KEYWORD, option.KEYWORD_ONLY)
            self.need(plain, "its options have names", word)
            self.need(option.annotation is not option.empty, "its options have types", word)
            self.need(option.name in page + own, "its options are explained", word)

    def _check_odd_options(self) -> None:
        """A number that an option cannot take is refused with `BadOption` and nothing else."""
        for option in inspect.signature(self.build).parameters.values():
            if option.annotation not in (int, float):
                continue
            for value in _ODD:
                if option.annotation is int and not isinstance(value, int):
                    continue
                self._try_option(option.name, value)

    def _try_option(self, option: str, value: float) -> None:
        try:
            call_build(self.name, self.build, {**self.options, option: value})
        except BadOption:
            return
        except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
            rule = "build refuses what an option cannot be with BadOption"
            raise BrokenContract(
                self.name, rule, f"{type(error).__name__} for {option}={value}: {error}"
            ) from error
