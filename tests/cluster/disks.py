"""A small file system in memory for one node's data, that can be filled. Mounting it takes root's rights."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PIECE = 1 << 20


class SmallDisk:
    """Mounted at `path` until `close`. Raises RuntimeError where it can't be."""

    def __init__(self, path: Path, megabytes: int) -> None:
        path.mkdir(parents=True)
        self.path = path
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"mounting a small file system takes root's rights: {done.stderr.strip()}")

    def fill(self) -> None:
        """Leaves not a byte."""
        try:
            with open(self.path / "ballast", "wb", buffering=0) as file:
                while file.write(bytes(_PIECE)):
                    pass
        except OSError:
            return

    def make_room(self) -> None:
        (self.path / "ballast").unlink()

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)
        self.path.rmdir()
