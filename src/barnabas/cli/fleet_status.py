"""barnabas status of a cluster: its nodes, the quorum, who leads what, what is behind.

Status 0: all serve; 3: none runs; 1: something is wrong, and it is said what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fleet_health import ask
from .fleet_up import partitions_text
from .processes import duration_text, size_text, usage

if TYPE_CHECKING:
    from .fleet import Fleet, Member
    from .fleet_health import Health
    from .terminal import Terminal

NOT_RUNNING = 3
_COLUMNS = ("node", "roles", "rack", "address", "state", "leads", "replicas", "behind", "memory", "up", "pid")


def fleet_status(terminal: Terminal, fleet: Fleet) -> int:
    """Raises HomeError."""
    members = fleet.members()
    running = [member for member in members if member.home.pid() is not None]
    health, failure = ask(members, lags=True) if running else (None, "")
    states = {member.node_id: _state(member, health) for member in members}
    well = health is not None and not health.under_replicated and all(state == "serves" for state in states.values())
    if not running:
        terminal.line(f"{terminal.style('stopped', 'yellow', 'bold')}  {fleet.directory}")
    elif health is None:
        terminal.line(terminal.style(f"runs, but doesn't answer: {failure}", "red", "bold"))
    else:
        terminal.line(terminal.style("serving", "green", "bold") if well else terminal.style("serving, but not all is well", "yellow", "bold"))
    _table(terminal, [_row(member, states[member.node_id], health) for member in members])
    if health is not None:
        terminal.fields(_fields(health))
    for member in members:
        if member.died():
            terminal.note(f"Node {member.node_id} died; nobody restarted it. The end of {member.home.output_path}:\n{member.home.output_tail(5)}")
    terminal.result(_for_programs(fleet, members, states, health))
    return NOT_RUNNING if not running else 0 if well else 1


def _state(member: Member, health: Health | None) -> str:
    if member.home.pid() is None:
        return "died" if member.died() else "stopped"
    if health is None:
        return "doesn't answer"
    known = health.brokers if member.is_broker else [voter.replica_id for voter in health.quorum.voters]
    if member.node_id not in known:
        return "not let in"
    return "serves" if not member.is_broker or member.node_id in health.lags else "doesn't answer"


def _row(member: Member, state: str, health: Health | None) -> list[str]:
    leads = replicas = behind = ""
    if health is not None and member.is_broker:
        leads, replicas = str(health.leaders.get(member.node_id, 0)), str(health.replicas.get(member.node_id, 0))
        behind = str(health.lags.get(member.node_id, "?"))
    pid = member.home.pid()
    used = usage(pid) if pid is not None else None
    memory, up = (size_text(used.resident_bytes), duration_text(used.uptime_s)) if used else ("", "")
    roles = "+".join(member.roles)
    return [str(member.node_id), roles, member.rack, member.where, state, leads, replicas, behind, memory, up, str(pid or "")]


def _table(terminal: Terminal, rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    for number, row in enumerate([list(_COLUMNS), *rows]):
        text = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        terminal.line(f"  {terminal.style(text, 'dim') if number == 0 else text}")


def _fields(health: Health) -> dict[str, str]:
    quorum = health.quorum
    ends = {voter.replica_id: voter.end_offset for voter in quorum.voters}
    end = ends.get(quorum.leader_id, quorum.high_watermark)
    voters = ", ".join(f"{voter}{' leads' if voter == quorum.leader_id else f' {end - offset} behind'}" for voter, offset in sorted(ends.items()))
    observers = ", ".join(f"{each.replica_id} {max(0, end - each.end_offset)} behind" for each in quorum.observers)
    shown = {
        "cluster": health.cluster_id,
        "quorum": f"epoch {quorum.leader_epoch}, committed up to {quorum.high_watermark}; voters {voters}"
        + (f"; observers {observers}" * bool(observers)),
        "topics": f"{health.topics} with {health.partitions} partition{'s' * (health.partitions != 1)}",
        "under-replicated": partitions_text(health.under_replicated) or "none",
    }
    if health.offline:
        shown["without a leader"] = partitions_text(health.offline)
    return shown


def _for_programs(fleet: Fleet, members: list[Member], states: dict[int, str], health: Health | None) -> dict[str, Any]:
    nodes = []
    for member in members:
        pid = member.home.pid()
        node: dict[str, Any] = {"node_id": member.node_id, "roles": member.roles, "rack": member.rack, "address": member.where}
        node |= {"state": states[member.node_id], "pid": pid}
        used = usage(pid) if pid is not None else None
        if used is not None:
            node |= {"uptime_s": round(used.uptime_s, 2), "cpu_s": round(used.cpu_s, 2), "resident_bytes": used.resident_bytes}
        if health is not None and member.is_broker:
            node |= {"leads": health.leaders.get(member.node_id, 0), "replicas": health.replicas.get(member.node_id, 0)}
            node["behind"] = health.lags.get(member.node_id)
        nodes.append(node)
    values: dict[str, Any] = {
        "running": any(node["pid"] is not None for node in nodes),
        "serving": health is not None,
        "directory": fleet.directory,
        "nodes": nodes,
    }
    if health is not None:
        quorum = health.quorum
        values |= {
            "cluster_id": health.cluster_id,
            "topics": health.topics,
            "partitions": health.partitions,
            "under_replicated": [f"{topic}-{partition}" for topic, partition in health.under_replicated],
            "offline": [f"{topic}-{partition}" for topic, partition in health.offline],
            "quorum": {
                "leader_id": quorum.leader_id,
                "epoch": quorum.leader_epoch,
                "high_watermark": quorum.high_watermark,
                "voters": {voter.replica_id: voter.end_offset for voter in quorum.voters},
                "observers": {each.replica_id: each.end_offset for each in quorum.observers},
            },
        }
    return values
