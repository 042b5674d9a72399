"""What Linux says of a process: since when it runs, what it uses, what it was started as. Reads /proc; nothing else."""

from __future__ import annotations

import os
from typing import NamedTuple


class Usage(NamedTuple):
    uptime_s: float
    cpu_s: float
    resident_bytes: int
    threads: int


def usage(pid: int) -> Usage | None:
    """None once the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything; fields are counted from behind it.
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/uptime", "rb") as file:
            since_boot_s = float(file.read().split()[0])
    except OSError:
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    cpu_s = (int(fields[11]) + int(fields[12])) / ticks
    started_s = int(fields[19]) / ticks
    return Usage(max(0.0, since_boot_s - started_s), cpu_s, int(fields[21]) * os.sysconf("SC_PAGE_SIZE"), int(fields[17]))


def command_line(pid: int) -> list[str]:
    """Its arguments; empty for one that is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return os.fsdecode(file.read(65536)).split("\0")[:-1]
    except OSError:
        return []


_PF_EXITING = 0x4


def is_ending(pid: int) -> bool:
    """Whether it was killed and still has its files and ports, though no command line any more: for some milliseconds."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    is_zombie, has_other_threads = fields[0] in (b"Z", b"X"), int(fields[17]) > 1  # its threads end one by one, its files with the last
    return bool(int(fields[6]) & _PF_EXITING) and (has_other_threads or not is_zombie)


def duration_text(seconds: float) -> str:
    """`3 ms`, `1.24 s`, `2 h 3 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if hours < 1:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{hours} h {minutes % 60} min" if days < 1 else f"{days} d {hours % 24} h"


def size_text(size_bytes: int) -> str:
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""
