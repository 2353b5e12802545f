"""How often a password may be tried: few times from one address, and not too often in all."""

import ipaddress
import time
from collections import deque
from collections.abc import Callable
from threading import Lock

WITHIN = 15 * 60.0
"""Seconds for which an attempt counts."""
OF_ONE = 5
"""Wrong passwords from one address within them."""
IN_ALL = 100
"""Wrong passwords from all addresses within them."""


class Attempts:
    """Counts wrong passwords.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        # At most IN_ALL of them, as each counts in all too.
        self._made: deque[tuple[float, str]] = deque()

    def wait(self, address: str) -> float:
        """Seconds until this address may try again; 0 lets it, and counts the attempt as wrong.

        It is counted before the password is looked at, so that many at once are no way around it.
        """
        network, now = _network(address), self._clock()
        with self._lock:
            while self._made and now - self._made[0][0] >= WITHIN:
                self._made.popleft()
            own = [when for when, which in self._made if which == network]
            if len(own) >= OF_ONE:
                return own[-OF_ONE] + WITHIN - now
            if len(self._made) >= IN_ALL:
                return self._made[0][0] + WITHIN - now
            self._made.append((now, network))
        return 0.0

    def was_right(self, address: str) -> None:
        """Take back the last attempt of an address.

        Earlier ones stay: who knows one password could guess at the other without end.
        """
        network = _network(address)
        with self._lock:
            for place in range(len(self._made) - 1, -1, -1):
                if self._made[place][1] == network:
                    del self._made[place]
                    return


def _network(address: str) -> str:
    """What counts as one address: of IPv6 the network, as a host has many addresses in it."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if known.version == 6 and known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    if known.version == 6:
        return str(ipaddress.ip_network(f"{known}/64", strict=False))
    return str(known)
