"""Images stored as colours: used where the three colours are equal, set aside where not.

Only decoding tells the two apart, so a handful of files is decoded while the folder is read; the
others meet the same rule when they are processed.
"""

import dataclasses

from cellwise.contracts.layout import Listing, Problem
from cellwise.errors import InputError
from cellwise.stages.read._assemble import OK, Assembly
from cellwise.stages.read.scales.aside import set_aside
from cellwise.store.images.fields import read_pixels

_SAMPLE = 24


def refuse_colours(assembly: Assembly, listing: Listing) -> Assembly:
    """Set aside the sampled sites whose images hold colours where grey is expected."""
    suspects = [
        (site, entry)
        for site in assembly.sites
        for entry in site.files
        if assembly.status[site.id] == OK
        and not entry.colour
        and entry.plane is None
        and any(_is_colour(listing, path) for path in entry.paths)
    ]
    found = []
    for site, entry in suspects[:_SAMPLE]:
        try:
            read_pixels(entry, listing.folder)
        except InputError as error:
            path = entry.paths[0].split("#z=")[0]
            found.append(Problem(error.code, path, error.reason, error.remedy, site.id))
    notes = assembly.notes
    if suspects:
        note = f"{len(suspects)} files are stored as colours; grey ones among them are used."
        notes = (*notes, note)
    return dataclasses.replace(set_aside(assembly, found), notes=notes)


def _is_colour(listing: Listing, path: str) -> bool:
    header = listing.header(path.split("#z=")[0])
    return header is not None and header.colour
