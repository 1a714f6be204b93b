"""Tokens: who may see the page. A program sends the token itself, a browser a cookie that was made of it.

The cookie is a date of expiry with its HMAC under the token, so that nothing has to be remembered here: a device that
was started anew still knows its browsers, and another token shuts them all out.
"""

import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

COOKIE_S: Final = 30 * 86400
_FREE_TRIES: Final = 4
_LONGEST_S: Final = 30.0
_FORGOTTEN_S: Final = 600.0
_MOST_ADDRESSES: Final = 1000


class Token:
    """What a visitor must know."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def is_same(self, tried: str) -> bool:
        """Compare in a time that tells nothing of it."""
        return hmac.compare_digest(self._text, tried.encode("utf-8", "surrogateescape"))

    def cookie(self) -> str:
        """Return the value of a new cookie."""
        expires = str(int(time.time()) + COOKIE_S)
        return f"{expires}.{self._sign(expires)}"

    def is_cookie(self, value: str) -> bool:
        """Return whether a cookie is ours and still good."""
        expires, _, signed = value.partition(".")
        same = hmac.compare_digest(self._sign(expires).encode(), signed.encode("utf-8", "surrogateescape"))
        return same and time.time() < int(expires)  # it is a number, since we signed it

    def _sign(self, expires: str) -> str:
        text = f"natadv page until {expires}".encode("utf-8", "surrogateescape")
        return hmac.new(self._text, text, hashlib.sha256).hexdigest()


class Tries:
    """Failed tries by address: after a few, each makes the next one wait longer, up to half a minute.

    Attributes:
        failed: tries that failed, of all addresses.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self.failed = 0
        self._now_s = now_s
        self._by_address: OrderedDict[str, tuple[int, float]] = OrderedDict()  # failures, and when the last was

    def wait_s(self, address: str) -> float:
        """Return how long that address has to wait before it may try again."""
        count, last_s = self._by_address.get(visitor_of(address), (0, 0.0))
        if count <= _FREE_TRIES:
            return 0.0
        pause_s = min(_LONGEST_S, 2.0 ** (count - _FREE_TRIES - 1))
        return max(0.0, last_s + pause_s - self._now_s())

    def fail(self, address: str) -> None:
        """Count a failure."""
        self.failed += 1
        group, now_s = visitor_of(address), self._now_s()
        count, last_s = self._by_address.pop(group, (0, now_s))
        self._by_address[group] = (1 if now_s - last_s > _FORGOTTEN_S else min(count + 1, 100), now_s)
        while len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.popitem(last=False)

    def succeed(self, address: str) -> None:
        """Forget an address's failures."""
        self._by_address.pop(visitor_of(address), None)


def visitor_of(address: str) -> str:
    """Return what one visitor has of addresses: of IPv6 a network of 64 bits."""
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(number) if number.version == 4 else str(ipaddress.ip_network((int(number), 64), strict=False))
