"""UpdateRaftVoter (82), version 0. Needs ClusterAction on the cluster. KIP-853.

The quorum answers.
"""

from __future__ import annotations

from barnabas.node.quorum_service import handle

__all__ = ["handle"]
