"""BeginQuorumEpoch (53), versions 0-1. Needs ClusterAction on the cluster. KIP-595; 1 has directories and endpoints (KIP-853).

The quorum answers.
"""

from __future__ import annotations

from barnabas.node.quorum_service import handle

__all__ = ["handle"]
