"""Finds a key's text, by the kind of resource that it belongs to."""

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
from .client_metrics import CLIENT_METRICS
from .group import GROUP
from .topic import TOPIC

BROKER: dict[str, str] = {**QUORUM, **NETWORK, **LOG, **REPLICATION, **GROUPS, **TRANSACTIONS, **SECURITY, **QUOTAS, **REMOTE, **DYNAMIC_ONLY}

__all__ = ["BROKER", "CLIENT_METRICS", "GROUP", "TOPIC"]
