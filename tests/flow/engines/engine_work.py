"""Work for the engine's tests, in a file that worker processes can import by its plain name."""

import os
import signal
import time

from cellwise.domain.steps import SiteRecord


def note(site_ids, job):
    return [SiteRecord(site, {"pid": os.getpid()}) for site in site_ids]


def die_on_s05(site_ids, job):
    if "s05" in site_ids:
        os.kill(os.getpid(), signal.SIGKILL)
    return note(site_ids, job)


def too_large_on_s05(site_ids, job):
    if "s05" in site_ids:
        raise MemoryError
    return note(site_ids, job)


def fail_on_s05(site_ids, job):
    if "s05" in site_ids:
        raise ZeroDivisionError("a bug")
    return note(site_ids, job)


def linger(site_ids, job):
    time.sleep(60)
    return note(site_ids, job)
