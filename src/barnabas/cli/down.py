"""barnabas down: stops this machine's node cleanly and says how long that took. The data stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .home import Home, HomeError
from .processes import duration_text

if TYPE_CHECKING:
    from .terminal import Terminal


def down(terminal: Terminal, directory: str) -> int:
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
