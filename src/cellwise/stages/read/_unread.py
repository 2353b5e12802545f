"""Images of kinds that are not read: a line for each kind, with its count and what to do."""

from collections.abc import Mapping

from cellwise.contracts.layout import Problem
from cellwise.store.images.microscope_files import MAKERS

_EXPORT = "Export it as OME-TIFF, from the microscope's program or with Bio-Formats (in Fiji)."
_SAVE = "Save it as TIFF or PNG, one grey image per channel."
_RENAME = "It is a TIFF inside: export it as OME-TIFF, so that names and channels are stated."
_KINDS = {
    **{
        maker.name: (f"{maker.remedy} and run again, or export it as OME-TIFF.", (ending,))
        for ending, maker in MAKERS.items()
    },
    "Zeiss, an older kind": (_EXPORT, (".zvi",)),
    "Zeiss, a kind of TIFF": (_RENAME, (".lsm",)),
    "Nikon, an older kind": (_EXPORT, (".nd",)),
    "Leica, other kinds": (_EXPORT, (".lof", ".xlef", ".lei", ".scn")),
    "Olympus": (_EXPORT, (".oib", ".oif", ".oir", ".vsi", ".ets", ".poir")),
    "Imaris": (_EXPORT, (".ims",)),
    "DeltaVision": (_EXPORT, (".dv", ".r3d")),
    "GE or Cytiva": (_EXPORT, (".xdce",)),
    "Andor, Molecular Devices or PerkinElmer": (_EXPORT, (".sld", ".stk", ".flex", ".mrc", ".ics")),
    "whole slides": (_EXPORT, (".svs", ".ndpi", ".qptiff", ".bif", ".mrxs", ".btf", ".tf8")),
    "Zarr that is no image of OME-Zarr": (_EXPORT, (".zarr", ".n5")),
    "arrays": (_SAVE, (".npy", ".npz", ".h5", ".hdf5", ".mat", ".nrrd", ".nii")),
    "images for screens": (_SAVE, (".gif", ".heic", ".avif", ".jp2", ".jxr", ".tga", ".svg")),
    "raw or medical images": (_SAVE, (".dcm", ".dng", ".nef", ".cr2", ".arw", ".raw")),
    "films": ("Save its frames as TIFF.", (".avi", ".mp4", ".mov", ".mpg", ".wmv")),
    "archives": ("Unpack those that hold images.", (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")),
}
HALF_COPIED = (
    *(".part", ".partial", ".crdownload", ".download", ".filepart", ".opdownload"),
    *(".aria2", ".tmp", ".temp"),
)
"""What programs that copy and download put behind the name of a file until it is whole."""

_OF_ENDING = {
    ending: (maker, remedy) for maker, (remedy, endings) in _KINDS.items() for ending in endings
}
_HALF = "images not yet copied to their end", "Copy it again, or wait until it is whole."


def unread_files(others: Mapping[str, int]) -> list[Problem]:
    """One problem that names all images of kinds that are not read, none where there are none.

    Args:
        others: Count of the files that are no images for us, by ending; a Zarr folder counts once.
    """
    kind_of = {
        **{
            ending: _HALF for ending in others if ending.endswith(HALF_COPIED) and "." in ending[1:]
        },
        **{ending: _OF_ENDING[ending] for ending in others if ending in _OF_ENDING},
    }
    found = {ending: count for ending, count in others.items() if ending in kind_of}
    if not found:
        return []
    kinds = ", ".join(
        f"{count} {ending} ({kind_of[ending][0]})" for ending, count in sorted(found.items())
    )
    many = sum(found.values())
    remedies = dict.fromkeys(kind_of[ending][1] for ending in sorted(found))
    return [
        Problem(
            "not_read",
            ".",
            f"{many} {'files are' if many > 1 else 'file is'} of kinds that are not read: {kinds}.",
            " ".join(remedies),
            set_aside=False,
        )
    ]
