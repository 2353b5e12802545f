"""Files as HPA-Cell-Segmentation publishes them, made small, and such as nobody should."""

import io
import pickle
import struct
import sys
import types
import warnings

import torch

from cellwise.parts.pixel_nets import pixel_nets

SMALL = {
    "name": "dpn_unet",
    "first": 8,
    "width": 8,
    "residual": 8,
    "groups": 4,
    "blocks": [1, 1, 1, 1],
    "growth": [4, 4, 4, 4],
}


def small_net(seed=0):
    torch.manual_seed(seed)
    return pixel_nets.build(SMALL)


def shapes(net):
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


def whole_model(net, path, *, legacy=False, parallel=False):
    """Pickle a network under class paths that are gone afterwards, as `torch.save(model)` does."""
    package = types.ModuleType("zoo_that_is_gone")
    unet = types.ModuleType("zoo_that_is_gone.unet")
    before = {}
    for module in net.modules():
        kind = type(module)
        if kind.__module__.startswith("cellwise"):
            name = kind.__name__.strip("_")
            if not hasattr(unet, name):
                setattr(unet, name, type(name, (kind,), {"__module__": unet.__name__}))
            before[module] = kind
            module.__class__ = getattr(unet, name)
    sys.modules |= {package.__name__: package, unet.__name__: unet}
    try:
        with warnings.catch_warnings():
            # Old torch wanted the source text of each class.
            warnings.simplefilter("ignore")
            model = torch.nn.DataParallel(net) if parallel else net
            torch.save(model, path, _use_new_zipfile_serialization=not legacy)
    finally:
        for name in (package.__name__, unet.__name__):
            del sys.modules[name]
        for module, kind in before.items():
            module.__class__ = kind
    return path


def in_zip(pickled):
    """Bytes of a pickle as the program of a zip archive of torch."""
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("model/data.pkl", pickled)
        archive.writestr("model/version", "3\n")
    return content.getvalue()


def in_legacy(pickled):
    """The same in the older format of five pickles."""
    facts = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = [pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, facts)]
    return b"".join([*head, pickled, pickle.dumps([], 2), struct.pack("<q", 0)])


class Calls:
    """An object whose pickle calls a function when it is read."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call
