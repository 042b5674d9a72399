"""Topics that come into being because somebody asked for them: by Metadata, and the coordinators' own (C44, W29, W30).

Owns which creations are under way, so that a thousand clients asking cause one request. Source: Apache's `AutoTopicCreationManager`.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from barnabas.wire.messages.create_topics import CreateTopicsRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.node.server import Node

Creatable = CreateTopicsRequest.CreatableTopic
_MOST_AT_ONCE = 1000
_NO_HURRY_MS = 30_000  # nobody waits for the answer


class AutoTopics:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = Lock()
        self._under_way: set[str] = set()

    def request(self, names: Iterable[str]) -> None:
        """Have topics created, with the cluster's defaults unless they are internal. Returns at once; from any thread."""
        with self._lock:
            wanted = [name for name in names if name not in self._under_way][: _MOST_AT_ONCE - len(self._under_way)]
            self._under_way.update(wanted)
        if not wanted:
            return
        request = CreateTopicsRequest(validate_only=False, topics=[self._describe(name) for name in wanted], timeout_ms=_NO_HURRY_MS)

        def answered(answer: Any) -> None:
            with self._lock:
                self._under_way.difference_update(wanted)
            if answer is None:
                self._node.warn_seldom("auto topics", f"Could not create {', '.join(wanted)}: no controller answers")

        self._node.controllers.ask(request, answered)

    def request_internal(self, name: str) -> None:
        """Have a coordinator's topic created, as Apache Kafka configures it."""
        self.request([name])

    def _describe(self, name: str) -> Creatable:
        config = self._node.config
        if name == "__consumer_offsets":
            groups = config.groups
            own = {"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": str(groups.offsets_topic_segment_bytes)}
            return _creatable(name, groups.offsets_topic_num_partitions, groups.offsets_topic_replication_factor, own)
        return _creatable(name, config.topics.num_partitions, config.topics.default_replication_factor, {})


def _creatable(name: str, partitions: int, replication_factor: int, configs: dict[str, str]) -> Creatable:
    return Creatable(
        name=name,
        num_partitions=partitions,
        replication_factor=replication_factor,
        assignments=[],
        configs=[Creatable.CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
    )
