"""How much memory the members of all groups may take: what JoinGroups bring stays for a session, up to group.max.session.timeout.ms, without a connection.

Owns the sum. A JoinGroup that finds no room is refused as retriable (`joining`). Apache Kafka has no such limit but its heap, 1 GB unless an operator
gives it more: so this is only met where Apache Kafka would end by OutOfMemoryError. Members that come from the log aren't counted: each group's record is
limited by max.message.bytes already.
"""

from __future__ import annotations

from collections import deque

DEFAULT_MAX_BYTES = 1 << 30
OVERHEAD_BYTES = 1000  # of a member, or of an id that was handed out, beside its texts and metadata


class Charge:
    """Bytes that count for as long as somebody holds this: a member goes in many ways, with its group or without."""

    __slots__ = ("_returned", "size")

    def __init__(self, size: int, returned: deque[int]) -> None:
        self.size = size
        self._returned = returned

    def __del__(self) -> None:
        self._returned.append(self.size)  # whichever thread the collector runs on


class MemberMemory:
    """Shared by the shards of a node; for their thread."""

    __slots__ = ("_returned", "_used", "max_bytes")

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._used = 0
        self._returned: deque[int] = deque()

    @property
    def used(self) -> int:
        returned = self._returned
        while returned:
            self._used -= returned.popleft()
        return self._used

    def has_room(self, size: int) -> bool:
        return self.used + size <= self.max_bytes

    def charge(self, size: int) -> Charge:
        """Count `size` bytes until the charge is let go of."""
        self._used += size
        return Charge(size, self._returned)
