"""Sites are set aside: they keep their rows, with the code of the first problem as status."""

import dataclasses
from collections.abc import Iterable

from cellwise.contracts.layout import Problem
from cellwise.stages.read._assemble import OK, Assembly


def set_aside(assembly: Assembly, problems: Iterable[Problem]) -> Assembly:
    """The same sites, without those that these problems are about."""
    found = tuple(problems)
    status, headers = dict(assembly.status), dict(assembly.headers)
    files = {site.id: site.files for site in assembly.sites}
    for problem in found:
        if status[problem.site_id] != OK:
            continue
        status[problem.site_id] = problem.code
        for entry in files[problem.site_id]:
            place = problem.site_id, entry.channel.name
            headers[place] = {**headers[place], "status": problem.code}
    return dataclasses.replace(
        assembly, status=status, headers=headers, problems=(*assembly.problems, *found)
    )
