"""How much a soak does: a night's worth unless the environment says otherwise, `make soak INPUTS=100000 KILLS=20 SECONDS=60`."""

from __future__ import annotations

import os

INPUTS = int(os.environ.get("INPUTS", "1000000"))
KILLS = int(os.environ.get("KILLS", "100"))
SECONDS = int(os.environ.get("SECONDS", "3600"))
