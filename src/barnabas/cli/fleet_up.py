"""barnabas up --nodes N: a cluster on this machine. Makes the homes, formats them as one quorum, starts the nodes, proves that one of them may stop.

Owns the order of the steps and what is said of each. Nodes that had died are named before they are started again; none is restarted behind anybody's back.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from .fleet import Fleet, format_members
from .fleet_health import ask, bootstrap_of
from .home import HomeError, is_free
from .processes import duration_text
from .up import START_TIMEOUT_S, command_prefix, lists_broker

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable

    from .fleet import Member
    from .terminal import Terminal

PAUSE_S = 0.02


def up_fleet(terminal: Terminal, directory: str, nodes: int | None, roles: str, port: int | None) -> int:
    from .fleet_proof import prove

    fleet = Fleet(directory)
    try:
        created = not fleet.exists()
        if created:
            members = fleet.create(nodes or 1, roles, port)
            terminal.done(f"Wrote {os.path.join(fleet.directory, 'node-*', 'server.properties')}", _shape(members))
        else:
            members = fleet.members()
            _check_shape(fleet, members, nodes)
        cluster_id = format_members(members)
        if cluster_id is not None:
            terminal.done(f"Formatted {len(members)} nodes", f"cluster id {cluster_id}")
        tell_deaths(terminal, members)
        idle = [member for member in members if member.home.pid() is None]
        if not idle:
            terminal.done(f"All {len(members)} nodes run already", bootstrap_of(members))
            return _result(terminal, members, created=created, serving_s=None, proof=None)
        serving_s = start(terminal, members, idle)
        proof = prove(terminal, members)
    except HomeError as error:
        return terminal.fail(str(error))
    _say_next(terminal, members, directory)
    return _result(terminal, members, created=created, serving_s=serving_s, proof=proof)


def _shape(members: Iterable[Member]) -> str:
    return ", ".join(f"{member.node_id}: {'+'.join(member.roles)}{f' in rack {member.rack}' if member.rack else ''}" for member in members)


def _check_shape(fleet: Fleet, members: list[Member], nodes: int | None) -> None:
    brokers = sum(member.is_broker for member in members)
    if nodes is not None and nodes != brokers:
        raise HomeError(f"{fleet.directory} holds a cluster of {brokers} brokers already: leave --nodes out, or use another --dir.")


def tell_deaths(terminal: Terminal, members: Iterable[Member]) -> None:
    for member in members:
        if member.died():
            terminal.note(f"Node {member.node_id} had died. The end of {member.home.output_path}:\n{member.home.output_tail(5)}")


def start(terminal: Terminal, members: list[Member], idle: Iterable[Member]) -> float:
    """Starts these nodes and waits until all brokers serve; the seconds it took. Raises HomeError, naming a node that ended."""
    began = time.monotonic()
    for member in idle:
        _check_ports(member)
    processes = {member.node_id: member.home.start() for member in idle}
    waiting = {member.node_id: member for member in idle}
    brokers = sum(member.is_broker for member in members)
    while waiting:
        for member in list(waiting.values()):
            _check_alive(member, processes[member.node_id])
            if _serves(member):
                del waiting[member.node_id]
                took = duration_text(time.monotonic() - began)
                what = "serves on" if member.is_broker else "is a controller on"
                terminal.done(
                    f"Node {member.node_id} {what} {terminal.style(member.where, 'bold')}", f"pid {processes[member.node_id].pid}, after {took}"
                )
        if time.monotonic() - began > START_TIMEOUT_S:
            listed = ", ".join(f"node {node_id} ({member.home.output_path})" for node_id, member in waiting.items())
            raise HomeError(f"Not serving after {START_TIMEOUT_S:.0f} s: {listed}. `barnabas down` stops the cluster.")
        time.sleep(PAUSE_S)
    wait_until(members, "all brokers to be known", lambda health: len(health.brokers) == brokers)
    return time.monotonic() - began


def _check_ports(member: Member) -> None:
    for used in (member.address and member.address[1], member.controller_port):
        if used is not None and not is_free(used):
            raise HomeError(
                f"Port {used}, which {member.home.properties_path} gives node {member.node_id}, is taken by another process. "
                "Stop that one, or change the port there."
            )


def _check_alive(member: Member, process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise HomeError(
            f"Node {member.node_id} ended with status {process.returncode} while starting. The end of {member.home.output_path}:\n{member.home.output_tail()}"
        )


def _serves(member: Member) -> bool:
    """A broker lists brokers; a controller listens."""
    if member.address is not None:
        return lists_broker(*member.address)
    return member.controller_port is not None and not is_free(member.controller_port)


def wait_until(members: list[Member], what: str, holds: object, timeout_s: float = START_TIMEOUT_S) -> None:
    """Until the cluster's health is so. Raises HomeError."""
    assert callable(holds)
    deadline_s = time.monotonic() + timeout_s
    while True:
        health, failure = ask(members)
        if health is not None and holds(health):
            return
        if time.monotonic() > deadline_s:
            left = failure or (f"under-replicated: {partitions_text(health.under_replicated)}" if health else "")
            raise HomeError(f"Waited {timeout_s:.0f} s in vain for {what}. {left}")
        time.sleep(PAUSE_S)


def partitions_text(keys: list[tuple[str, int]], most: int = 5) -> str:
    listed = ", ".join(f"{topic}-{partition}" for topic, partition in keys[:most])
    return f"{listed} and {len(keys) - most} more" if len(keys) > most else listed


def _say_next(terminal: Terminal, members: list[Member], directory: str) -> None:
    where = f" --dir {directory}" if os.path.abspath("data") != os.path.abspath(directory) else ""
    scripts = command_prefix()
    terminal.line()
    terminal.line("Next:")
    terminal.command(f"{scripts}kafka-topics --bootstrap-server {bootstrap_of(members)} --create --topic first --partitions 6")
    terminal.command(f"{scripts}barnabas status{where}", "nodes, quorum, leaders, what is behind")
    terminal.command(f"{scripts}barnabas restart{where}", "one node after the other")
    terminal.command(f"{scripts}barnabas down{where}", "the data stays")


def _result(terminal: Terminal, members: list[Member], *, created: bool, serving_s: float | None, proof: dict[str, float] | None) -> int:
    nodes = [
        {"node_id": member.node_id, "roles": member.roles, "rack": member.rack, "address": member.where, "pid": member.home.pid()}
        for member in members
    ]
    outcome: dict[str, object] = {"bootstrap": bootstrap_of(members), "nodes": nodes, "created": created}
    if serving_s is not None:
        outcome |= {"serving_s": round(serving_s, 3), "proof": proof}
    terminal.result(outcome)
    return 0
