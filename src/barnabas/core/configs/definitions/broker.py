"""All broker and controller keys in one index. `DYNAMIC_QUOTAS` can be set while brokers run but not in server.properties."""

from __future__ import annotations

from .broker_groups import GROUPS
from .broker_log import LOG
from .broker_network import NETWORK
from .broker_quorum import QUORUM
from .broker_quotas import DYNAMIC_ONLY, QUOTAS
from .broker_remote import REMOTE
from .broker_replication import REPLICATION
from .broker_security import SECURITY
from .broker_transactions import TRANSACTIONS
from .row import FLAG, Row, index

BROKER: dict[str, Row] = index(QUORUM, NETWORK, LOG, REPLICATION, GROUPS, TRANSACTIONS, SECURITY, QUOTAS, REMOTE)
DYNAMIC_QUOTAS: dict[str, Row] = index(DYNAMIC_ONLY)


def update_mode(name: str) -> str:
    """ "read-only", "per-broker" or "cluster-wide": whether, and where, a broker key can be set while brokers run."""
    row = BROKER.get(name) or DYNAMIC_QUOTAS.get(name)
    return row[FLAG] if row is not None and row[FLAG] in ("per-broker", "cluster-wide") else "read-only"
