"""ACLs, SCRAM credentials, client quotas and delegation tokens as the controller replays them: kept, so that later requests can be judged by them.

Their operations belong to security and quotas; those of SCRAM credentials are in `scram`. Source: C59, C60, C77, C78, C80.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.timeline import TimelineDict
from barnabas.wire.logs import cluster_metadata as records

if TYPE_CHECKING:
    from barnabas.core.metadata.image import QuotaEntity
    from barnabas.core.timeline import SnapshotRegistry


class Stored:
    __slots__ = ("acls", "client_quotas", "delegation_tokens", "scram")

    def __init__(self, registry: SnapshotRegistry) -> None:
        self.acls: TimelineDict[bytes, records.AccessControlEntryRecord] = TimelineDict(registry)
        self.scram: TimelineDict[tuple[int, str], records.UserScramCredentialRecord] = TimelineDict(registry)
        self.client_quotas: TimelineDict[QuotaEntity, dict[str, float]] = TimelineDict(registry)
        self.delegation_tokens: TimelineDict[str, records.DelegationTokenRecord] = TimelineDict(registry)

    def replay_acl(self, record: records.AccessControlEntryRecord) -> None:
        self.acls[record.id] = record

    def replay_remove_acl(self, record: records.RemoveAccessControlEntryRecord) -> None:
        if self.acls.pop(record.id, None) is None:
            raise ValueError(f"no ACL with id {record.id.hex()} to remove")

    def replay_scram(self, record: records.UserScramCredentialRecord) -> None:
        self.scram[(record.mechanism, record.name)] = record

    def replay_remove_scram(self, record: records.RemoveUserScramCredentialRecord) -> None:
        self.scram.pop((record.mechanism, record.name), None)

    def replay_client_quota(self, record: records.ClientQuotaRecord) -> None:
        entity = frozenset((part.entity_type, part.entity_name) for part in record.entity)
        values = dict(self.client_quotas.get(entity) or {})
        if record.remove:
            values.pop(record.key, None)
        else:
            values[record.key] = record.value
        if values:
            self.client_quotas[entity] = values
        else:
            self.client_quotas.pop(entity, None)

    def replay_delegation_token(self, record: records.DelegationTokenRecord) -> None:
        self.delegation_tokens[record.token_id] = record

    def replay_remove_delegation_token(self, record: records.RemoveDelegationTokenRecord) -> None:
        self.delegation_tokens.pop(record.token_id, None)
