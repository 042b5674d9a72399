"""Dynamic configurations as the controller replays them, and what they come to for a topic. Changing them is `config_changes`.

What a config's value may be, and how configs override one another, is `core.configs`. Source: Apache's `ConfigurationControlManager`; C37, C58.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from barnabas.core.metadata.image import BROKER, TOPIC
from barnabas.core.timeline import TimelineDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.core.metadata.image import ConfigResource
    from barnabas.core.timeline import SnapshotRegistry
    from barnabas.wire.logs.cluster_metadata import ConfigRecord

MIN_INSYNC_REPLICAS = "min.insync.replicas"
UNCLEAN_LEADER_ELECTION = "unclean.leader.election.enable"
CORDONED_LOG_DIRS = "cordoned.log.dirs"

_NONE: dict[str, str] = {}


class EffectiveConfig(Protocol):
    """A topic's config that applies, and where it comes from, in CreateTopics' terms."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str | None: ...
    @property
    def source(self) -> int: ...
    @property
    def is_sensitive(self) -> bool: ...


class ConfigRules(Protocol):
    """What the controller asks `core.configs`. Layers: the topic's, this node's dynamic, the cluster's dynamic; the rules know the static ones."""

    def topic_value(self, name: str, topic: Mapping[str, str], node: Mapping[str, str], cluster: Mapping[str, str]) -> str: ...

    def topic_values(self, topic: Mapping[str, str], node: Mapping[str, str], cluster: Mapping[str, str]) -> Sequence[EffectiveConfig]: ...

    def validate(self, resource: ConfigResource, configs: Mapping[str, str], existing: Mapping[str, str]) -> None:
        """Raise ApiError unless `configs`, as a whole, may replace `existing`."""

    def is_list(self, resource_type: int, name: str) -> bool: ...

    def default(self, resource_type: int, name: str) -> str | None: ...

    def static_min_insync_replicas(self) -> int: ...


class Configs:
    __slots__ = ("_node_id", "data", "rules")

    def __init__(self, registry: SnapshotRegistry, rules: ConfigRules, node_id: int) -> None:
        self.rules = rules
        self._node_id = node_id
        self.data: TimelineDict[ConfigResource, dict[str, str]] = TimelineDict(registry)
        """Each dict is replaced, never changed."""

    def of(self, resource_type: int, name: str) -> dict[str, str]:
        return self.data.get((resource_type, name)) or _NONE

    @property
    def cluster(self) -> dict[str, str]:
        return self.of(BROKER, "")

    @property
    def node(self) -> dict[str, str]:
        return self.of(BROKER, str(self._node_id))

    def min_insync_replicas(self, topic: str) -> int:
        return int(self.rules.topic_value(MIN_INSYNC_REPLICAS, self.of(TOPIC, topic), self.node, self.cluster))

    def unclean_election_enabled(self, topic: str) -> bool:
        return self.rules.topic_value(UNCLEAN_LEADER_ELECTION, self.of(TOPIC, topic), self.node, self.cluster) == "true"

    def effective_for_new_topic(self, given: Mapping[str, str]) -> Sequence[EffectiveConfig]:
        return self.rules.topic_values(given, self.node, self.cluster)

    def replay(self, record: ConfigRecord) -> None:
        resource = (record.resource_type, record.resource_name)
        configs = dict(self.data.get(resource) or _NONE)
        if record.value is None:
            configs.pop(record.name, None)
        else:
            configs[record.name] = record.value
        if configs:
            self.data[resource] = configs
        else:
            self.data.pop(resource, None)

    def replay_topic_removed(self, name: str) -> None:
        self.data.pop((TOPIC, name), None)
