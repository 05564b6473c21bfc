"""How often one address may ask: a sliding window in the memory of this process."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network


@dataclass(slots=True)
class Window:
    """So many requests of one address in so much time; the addresses that asked last are remembered."""

    most: int
    period: timedelta
    addresses: int = 10_000
    _asked: OrderedDict[str, deque[datetime]] = field(default_factory=OrderedDict)

    def wait(self, address: str, now: datetime) -> float:
        """Count a request; the seconds until the next one is let through, 0 if this one is."""
        key = network(address)
        asked = self._asked.setdefault(key, deque())
        self._asked.move_to_end(key)
        while len(self._asked) > self.addresses:
            self._asked.popitem(last=False)
        while asked and asked[0] <= now - self.period:
            asked.popleft()
        if len(asked) >= self.most:
            return max((asked[0] + self.period - now).total_seconds(), 1.0)
        asked.append(now)
        return 0.0


def network(address: str) -> str:
    """Whom an address counts for: itself; of IPv6 its /64, which is what one household has (RFC 6177)."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
