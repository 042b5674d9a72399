"""barnabas restart: every node of this machine's cluster, one after the other; the next one only when nothing is behind. The active controller comes last.

Owns the order and what is waited for.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .fleet import Fleet, Member
from .fleet_health import ANSWER_TIMEOUT_MS, ask, bootstrap_of
from .fleet_up import partitions_text, start, tell_deaths, wait_until
from .home import Home, HomeError
from .processes import duration_text

if TYPE_CHECKING:
    from .terminal import Terminal

NOT_RUNNING = 3
IN_SYNC_TIMEOUT_S = 300.0


def restart(terminal: Terminal, directory: str) -> int:
    fleet = Fleet(directory)
    began = time.monotonic()
    try:
        single = Home(directory)
        members = fleet.members() if fleet.exists() else [Member(single)] if single.exists() else []
        if not any(member.home.pid() is not None for member in members):
            terminal.line(f"No node runs in {fleet.directory}: `barnabas up` starts it.")
            terminal.result({"restarted": [], "directory": fleet.directory})
            return NOT_RUNNING
        tell_deaths(terminal, members)
        _check_running(members)
        order = _order(members)
        for member in order:
            _roll(terminal, members, member)
        moved = _leaders_home(members)
        if moved:
            terminal.done("Leaders went back to the first replicas of their partitions", f"{moved} of them")
    except HomeError as error:
        return terminal.fail(str(error))
    took_s = time.monotonic() - began
    terminal.done(f"Restarted {len(order)} node{'s' * (len(order) != 1)}, one after the other", duration_text(took_s))
    terminal.result(
        {"restarted": [member.node_id for member in order], "leaders_moved": moved, "seconds": round(took_s, 3), "directory": fleet.directory}
    )
    return 0


def _check_running(members: list[Member]) -> None:
    stopped = [str(member.node_id) for member in members if member.home.pid() is None]
    if stopped:
        raise HomeError(f"Node {', '.join(stopped)} doesn't run: stopping another one now could take partitions away. `barnabas up` starts it first.")


def _order(members: list[Member]) -> list[Member]:
    """The active controller last: each change of it makes everybody wait a little."""
    health, failure = ask(members, lags=True)
    if health is None:
        raise HomeError(f"The cluster doesn't answer, so nothing was restarted: {failure}")
    silent = [str(member.node_id) for member in members if member.is_broker and member.node_id not in health.lags]
    if silent:
        raise HomeError(
            f"Nothing was restarted, since node {', '.join(silent)} runs and doesn't answer: another one less could take partitions away."
        )
    if health.under_replicated:
        raise HomeError(
            f"Nothing was restarted, since replicas are behind: {partitions_text(health.under_replicated)}. `barnabas status` shows them."
        )
    return sorted(members, key=lambda member: (member.node_id == health.quorum.leader_id, member.is_controller, member.node_id))


def _roll(terminal: Terminal, members: list[Member], member: Member) -> None:
    pid = member.home.pid()
    if pid is None:
        raise HomeError(f"Node {member.node_id} died meanwhile. The end of {member.home.output_path}:\n{member.home.output_tail()}")
    terminal.done(f"Node {member.node_id} is stopped", duration_text(member.home.stop(pid)))
    began = time.monotonic()
    start(terminal, members, [member])
    wait_until(members, "all replicas to be in sync again", lambda health: not health.under_replicated, IN_SYNC_TIMEOUT_S)
    terminal.done(f"Node {member.node_id} is in sync again", duration_text(time.monotonic() - began))


def _leaders_home(members: list[Member]) -> int:
    """Whoever was stopped last leads nothing afterwards: how many leaders changed back. Raises HomeError."""
    import asyncio

    from barnabas.client.admin import elections
    from barnabas.client.cluster import Cluster, Settings
    from barnabas.client.errors import KafkaError

    async def work() -> int:
        async with Cluster(bootstrap_of(members), Settings(client_id="barnabas-restart", api_timeout_ms=ANSWER_TIMEOUT_MS)) as cluster:
            outcomes = await elections.elect(cluster, elections.PREFERRED, None)
            return sum(failure is None for failure in outcomes.values())

    try:
        return asyncio.run(work())
    except KafkaError as error:
        raise HomeError(f"All nodes were restarted, but leaders didn't go back to the first replicas of their partitions: {error}") from error
