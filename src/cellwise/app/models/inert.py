"""A reader of pickled torch files that runs nothing of what they hold.

A pickle is a program. Here it may do four things: name classes, which become stand-ins that hold
state and nothing else; make tensors through torch's own rebuild functions, which are replaced by
ours; make ordered dictionaries, sets and devices; and point at stored numbers. Whatever else it
calls for is refused by its name, and no module is ever imported for it.

`torch.load(weights_only=True)` cannot take its place. It makes no stand-ins by itself, and the
names for which it would need some (`torch.serialization.safe_globals`) it lists for zip archives
only, while the published files are of the older format. Torch also needs 3 GB of addresses before
it reads a byte, three times what the process that reads may have (`child`).

Source: the formats as torch writes them (`torch.save` since 1.6: a zip archive; before: five
pickles and the numbers behind them).
"""

import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

# What a stored number is, by the name of its class in torch.
STORED = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    # The upper half of a float32; numpy has no such type.
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "UntypedStorage": "<u1",
    "BoolStorage": "|b1",
}
_STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")
# Nobody's network lies in these, so a name from them is a call to run something.
_NEVER = frozenset(sys.stdlib_module_names) | {"__builtin__", "nt", "posix", "numpy", "torch"}


class Refused(Exception):
    """The file asks for something that no file of weights needs."""


class _Silent(type):
    """Classes of the file: they can be made without arguments, and never called."""

    def __call__(cls, *_: Any, **__: Any) -> Any:
        raise Refused(f"it calls {cls.__module__}.{cls.__qualname__}")


class Held(metaclass=_Silent):
    """An object of a class that we do not have: its state, without its code."""

    def __new__(cls, *given: Any) -> "Held":
        """An empty object."""
        if given:
            raise Refused(f"it makes a {cls.__module__}.{cls.__qualname__} from arguments")
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Take the attributes of a network's module: a plain dictionary."""
        if not isinstance(state, dict):
            raise Refused(f"a {type(self).__qualname__} has a state that is no dictionary")
        object.__setattr__(self, "state", state)

    @property
    def attributes(self) -> dict[Any, Any]:
        """The state; empty where the file gave none."""
        found: dict[Any, Any] = self.__dict__.get("state", {})
        return found


# Tuples, because a pickle can change the attributes of any other object.
class Storage(NamedTuple):
    """A run of stored numbers: the name of their type, where they lie, how many."""

    kind: str
    key: str
    length: int
    first: int = 0


class Strided(NamedTuple):
    """A tensor: which numbers of a storage, in what order."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass
class InertUnpickler:
    """Reads one pickle after another from a stream.

    Args:
        stream: Where they lie.
        classes: Collects every class that is named.
        kinds: Collects the kind of number that each storage holds, by its key.
    """

    stream: IO[bytes]
    classes: set[str] = field(default_factory=set)
    kinds: dict[str, str] = field(default_factory=dict)

    def read(self) -> Any:
        """The next pickle of the stream, as plain values, `Held` and `Strided`.

        Raises:
            Refused: It asks for anything else.
            Exception: It is torn; of which kind depends on the damage.
        """
        return _Reader(self).load()


# The reader written in Python: a number in the file makes the one written in C allocate as much
# memory as it says, whatever the size of the file.
class _Reader(pickle._Unpickler):
    def __init__(self, owner: InertUnpickler) -> None:
        # Python 2 wrote text as bytes.
        super().__init__(owner.stream, encoding="utf-8")
        self.owner = owner
        self.made: dict[tuple[str, str], type[Held]] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        """What stands for a name: never the thing itself."""
        known = _KNOWN.get((module, name))
        if known is not None:
            return known
        if module in _STORAGE_MODULES and name in STORED:
            return name
        root = module.partition(".")[0]
        of_torch = module.startswith("torch.nn.")
        if (root in _NEVER and not of_torch) or not _is_path(module) or not _is_path(name):
            raise Refused(f"it asks for {module}.{name}")
        self.owner.classes.add(f"{module}.{name}")
        if (module, name) not in self.made:
            held = _Silent(name, (Held,), {"__module__": module})
            self.made[module, name] = held  # type: ignore[assignment]
        return self.made[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Stored numbers, or the class of a module, which old torch wrote with its source text."""
        if not isinstance(pid, tuple) or not pid:
            raise Refused("it points at something that is no stored tensor")
        if pid[0] == "module" and len(pid) >= 2 and isinstance(pid[1], _Silent):
            return pid[1]
        if pid[0] != "storage" or len(pid) < 5 or pid[1] not in STORED:
            raise Refused(f"it points at something of the kind {str(pid[0])[:40]!r}")
        kind, key, _, count = pid[1:5]
        view = pid[5] if len(pid) > 5 else None
        first = view[1] if isinstance(view, tuple) and len(view) == 3 else 0
        _check_whole(count, first)
        if self.owner.kinds.setdefault(str(key), kind) != kind:
            raise Refused(f"it takes the stored numbers {str(key)[:40]!r} for two kinds")
        return Storage(kind, str(key), count, first)

    def get_extension(self, code: int) -> Any:
        """Nothing is registered here."""
        raise Refused(f"it asks for the registered extension {code}")


def _is_path(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _check_whole(*numbers: Any) -> None:
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise Refused("a tensor's size or place is no number")


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Strided:
    if not isinstance(storage, Storage):
        raise Refused("a tensor is made from something that is no storage")
    shape, strides = tuple(shape), tuple(strides)
    _check_whole(offset, *shape, *strides)
    if len(shape) != len(strides):
        raise Refused("a tensor has other strides than sides")
    return Strided(storage, offset, shape, strides)


def _parameter(data: Any, *_: Any) -> Strided:
    if not isinstance(data, Strided):
        raise Refused("a parameter is made from something that is no tensor")
    return data


def _nothing(*_: Any) -> None:
    return None


def _size(sides: Any = ()) -> tuple[Any, ...]:
    return tuple(sides)


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("torch", "Size"): _size,
    ("torch", "device"): _nothing,
    # Every module of torch before 1.2 carries it.
    ("torch.nn.backends.thnn", "_get_thnn_function_backend"): _nothing,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}
