"""Where a consumer is in its partitions: offsets, places that have yet to become offsets, and logs that were cut behind its back (KIP-320).

Owns: resets by policy, and whether a new leader's log leads to where the consumer is. Doesn't own fetching (`consumer`) nor committed offsets (`admin.groups`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from barnabas.wire.errors import Error

from .admin import offsets
from .errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .cluster import Cluster

    Key = tuple[str, int]

NO_POLICY = "none"


class NoOffset(ValueError):
    """No position for a partition, and no policy to choose one."""

    java_class = "org.apache.kafka.clients.consumer.NoOffsetForPartitionException"


class LogTruncated(NoOffset):
    """A leader's log has parted from what was read, before the position; no policy says to go back. `divergent` has where, as far as that is known."""

    java_class = "org.apache.kafka.clients.consumer.LogTruncationException"

    def __init__(self, positions: Mapping[Key, int], divergent: Mapping[Key, int]) -> None:
        super().__init__("Detected log truncation with diverging offsets " + ", ".join(f"{t}-{p}: {at}" for (t, p), at in divergent.items()))
        self.positions = dict(positions)
        self.divergent = dict(divergent)


class Positions:
    """Of one consumer; `policy` is its auto_offset_reset."""

    def __init__(self, cluster: Cluster, policy: str, reset_age_ms: int, isolation_level: int) -> None:
        self._cluster = cluster
        self._policy = policy
        self._reset_age_ms = reset_age_ms
        self._isolation_level = isolation_level
        self._resets: dict[Key, int] = {}
        self._led: dict[Key, int] = {}  # the leader epoch in whose log each position was last seen to lie
        self.offsets: dict[Key, int] = {}
        self.epochs: dict[Key, int] = {}
        """Of the last record before each position, where it is known."""

    def __contains__(self, key: Key) -> bool:
        return key in self.offsets or key in self._resets

    def __bool__(self) -> bool:
        return bool(self.offsets or self._resets)

    def assign(self, places: Mapping[Key, int]) -> None:
        """These partitions only, each at an offset or at one of `admin.offsets`' names."""
        self.keep([])
        self.offsets.update({key: place for key, place in places.items() if place >= 0})
        self._resets.update({key: place for key, place in places.items() if place < 0})

    def keep(self, keys: Iterable[Key]) -> None:
        """Forgets all others, and what had yet to become an offset."""
        kept = set(keys)
        self._resets.clear()
        for table in (self.offsets, self.epochs, self._led):
            for key in [key for key in table if key not in kept]:
                del table[key]

    def stand(self, key: Key, offset: int, leader_epoch: int = -1) -> None:
        self.offsets[key] = offset
        self.epochs[key] = leader_epoch
        self._led.pop(key, None)

    def reset(self, key: Key) -> None:
        """By the policy. Raises NoOffset."""
        places = {"earliest": offsets.EARLIEST, "latest": offsets.LATEST, "by_duration": time.time_ns() // 1_000_000 - self._reset_age_ms}
        if self._policy not in places:
            raise NoOffset(f"Undefined offset with no reset policy for partitions: [{key[0]}-{key[1]}]")
        self.offsets.pop(key, None)
        self._resets[key] = places[self._policy]

    async def place(self) -> None:
        """Turns places (beginning, end, a time) into offsets. Raises KafkaError."""
        if not self._resets:
            return
        found = await offsets.find(self._cluster, self._resets, isolation_level=self._isolation_level)
        for key, answer in found.items():
            if isinstance(answer, KafkaError):
                raise answer
            if answer.offset < 0 <= self._resets[key]:
                self.reset(key)  # no record is as young as that; one may come
                continue
            self.stand(key, answer.offset, answer.leader_epoch)
            self._resets.pop(key, None)

    async def follow_leaders(self) -> None:
        """Whether the logs of leaders that are new since the last look still lead to where this consumer is; if not, back to where they part.

        Raises KafkaError, and LogTruncated, again and again, until somebody says where to go.
        """
        moved = {}
        for key in self.offsets:
            epoch = self._cluster.leader_epoch(*key)
            if self._led.get(key) != epoch:
                moved[key] = self.epochs.get(key, -1)
                self._led[key] = epoch
        asked = {key: epoch for key, epoch in moved.items() if epoch >= 0}
        ends = await offsets.epoch_ends(self._cluster, asked) if asked else {}
        cut: dict[Key, int] = {}
        for key, end in ends.items():
            if isinstance(end, KafkaError):
                if end.error is Error.UNSUPPORTED_VERSION:
                    continue  # a node that is older than this
                self._led.pop(key, None)
                if not end.retriable:
                    raise end
            elif end.leader_epoch < 0 or end.offset < self.offsets[key]:
                if self._policy == NO_POLICY:
                    cut[key] = end.offset
                elif end.offset < 0:
                    self.reset(key)
                else:
                    self.offsets[key], self.epochs[key] = end.offset, end.leader_epoch
        if cut:
            for key in cut:
                self._led.pop(key, None)
            raise LogTruncated({key: self.offsets[key] for key in cut}, {key: at for key, at in cut.items() if at >= 0})
