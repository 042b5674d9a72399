"""RemoveRaftVoter (81), version 0. Needs Alter on the cluster. KIP-853.

The quorum answers.
"""

from __future__ import annotations

from barnabas.node.quorum_service import handle

__all__ = ["handle"]
