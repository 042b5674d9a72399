"""barnabas down: stops this machine's node cleanly and says how long that took. The data stays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .fleet import Fleet
from .fleet_health import ask
from .fleet_up import tell_deaths
from .home import Home, HomeError
from .processes import duration_text

if TYPE_CHECKING:
    from .terminal import Terminal

ANSWER_TIMEOUT_MS = 1_000


def down(terminal: Terminal, directory: str) -> int:
    fleet = Fleet(directory)
    if fleet.exists():
        return _down_fleet(terminal, fleet)
    home = Home(directory)
    pid = home.pid()
    if pid is None:
        terminal.line(f"No node runs in {home.directory}.")
        terminal.result({"stopped": False, "directory": home.directory})
        return 0
    try:
        took_s = home.stop(pid)
    except HomeError as error:
        return terminal.fail(str(error))
    terminal.done(f"Stopped in {duration_text(took_s)}", f"pid {pid}; the data stays in {home.directory}")
    terminal.result({"stopped": True, "pid": pid, "seconds": round(took_s, 3), "directory": home.directory})
    return 0


def _down_fleet(terminal: Terminal, fleet: Fleet) -> int:
    """One after the other, so that each can be seen off: brokers first, the active controller last."""
    began = time.monotonic()
    stopped = []
    try:
        members = fleet.members()
        tell_deaths(terminal, members)
        for member in members:
            member.home.forget_process()
        running = [member for member in members if member.home.pid() is not None]
        health, _ = ask(running, timeout_ms=ANSWER_TIMEOUT_MS) if running else (None, "")
        active = health.quorum.leader_id if health is not None else None
        for member in sorted(running, key=lambda member: (member.node_id == active, member.is_controller, member.node_id)):
            pid = member.home.pid()
            if pid is not None:
                terminal.done(f"Node {member.node_id} is stopped", f"pid {pid}, {duration_text(member.home.stop(pid))}")
                stopped.append(member.node_id)
    except HomeError as error:
        return terminal.fail(str(error))
    took_s = time.monotonic() - began
    if stopped:
        terminal.done(f"Stopped in {duration_text(took_s)}", f"the data stays in {fleet.directory}")
    else:
        terminal.line(f"No node runs in {fleet.directory}.")
    terminal.result({"stopped": bool(stopped), "nodes": stopped, "seconds": round(took_s, 3), "directory": fleet.directory})
    return 0
