"""Vote (52), versions 0-2. Needs ClusterAction on the cluster. KIP-595; 1 has directories (KIP-853), 2 pre-votes (KIP-996).

The quorum answers.
"""

from __future__ import annotations

from barnabas.node.quorum_service import handle

__all__ = ["handle"]
