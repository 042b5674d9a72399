"""Several replicas of a partition: what its leader does for them, and how this node follows other leaders."""
