"""AddRaftVoter (80), versions 0-1. Needs Alter on the cluster. KIP-853; 1 may be answered before the change is committed.

The quorum answers.
"""

from __future__ import annotations

from barnabas.node.quorum_service import handle

__all__ = ["handle"]
