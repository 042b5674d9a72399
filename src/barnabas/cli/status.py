"""barnabas status: the node of this machine at a glance. Status 0: it serves; 3: it doesn't run; 1: it runs but doesn't answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .fleet import Fleet
from .home import Home, HomeError
from .processes import duration_text, size_text, usage

if TYPE_CHECKING:
    from .terminal import Terminal

NOT_RUNNING = 3
ANSWER_TIMEOUT_MS = 5_000


class Answer(NamedTuple):
    """What the node says of its cluster. Internal topics count."""

    cluster_id: str | None
    topics: int
    partitions: int
    features: dict[str, int]


def status(terminal: Terminal, directory: str) -> int:
    fleet = Fleet(directory)
    if fleet.exists():
        from .fleet_status import fleet_status

        try:
            return fleet_status(terminal, fleet)
        except HomeError as error:
            return terminal.fail(str(error))
    home = Home(directory)
    pid = home.pid()
    if pid is None:
        where = home.directory if home.exists() else f"{home.directory} (nothing there yet)"
        terminal.line(f"{terminal.style('stopped', 'yellow', 'bold')}  {where}")
        terminal.result({"running": False, "directory": home.directory})
        return NOT_RUNNING
    try:
        settings = home.settings()
        host, port = home.address(settings)
    except HomeError as error:
        return terminal.fail(str(error))
    address = f"{host}:{port}"
    answer, failure = _ask(address)
    used = usage(pid)
    serving = answer is not None
    terminal.line(terminal.style("serving", "green", "bold") if serving else terminal.style(f"runs, but doesn't answer: {failure}", "red", "bold"))
    terminal.fields(_for_people(home, settings, address, pid, answer, used))
    terminal.result(_for_programs(home, settings, address, pid, answer, used))
    return 0 if serving else 1


def _for_people(home: Home, settings: dict[str, str], address: str, pid: int, answer: Answer | None, used: Any) -> dict[str, str]:
    from barnabas import __version__

    from .kafka import VERSION

    shown = {"address": address, "node": f"{settings.get('node.id', '?')} ({settings.get('process.roles', '')})"}
    if answer is not None:
        shown["cluster"] = answer.cluster_id or "?"
        shown["topics"] = f"{answer.topics} with {answer.partitions} partition{'' if answer.partitions == 1 else 's'}"
    shown["version"] = f"Barnabas {__version__}, as Apache Kafka {VERSION}"
    if answer is not None and "metadata.version" in answer.features:
        shown["version"] += f" (metadata level {answer.features['metadata.version']})"
    shown["process"] = f"pid {pid}"
    if used is not None:
        shown["process"] += f", up {duration_text(used.uptime_s)}, {used.threads} threads"
        share = 100 * used.cpu_s / used.uptime_s if used.uptime_s > 0 else 0.0
        shown["used"] = f"{size_text(used.resident_bytes)} resident, {duration_text(used.cpu_s)} of CPU ({share:.1f} %)"
    shown["directory"] = home.directory
    return shown


def _for_programs(home: Home, settings: dict[str, str], address: str, pid: int, answer: Answer | None, used: Any) -> dict[str, Any]:
    from barnabas import __version__

    from .kafka import VERSION

    values: dict[str, Any] = {
        "running": True,
        "serving": answer is not None,
        "address": address,
        "node_id": settings.get("node.id"),
        "pid": pid,
        "version": __version__,
        "kafka_version": VERSION,
        "directory": home.directory,
    }
    if answer is not None:
        values |= {"cluster_id": answer.cluster_id, "topics": answer.topics, "partitions": answer.partitions, "features": answer.features}
    if used is not None:
        values |= {"uptime_s": round(used.uptime_s, 2), "cpu_s": round(used.cpu_s, 2), "resident_bytes": used.resident_bytes, "threads": used.threads}
    return values


def _ask(address: str) -> tuple[Answer | None, str]:
    import asyncio

    from barnabas.client.errors import KafkaError

    try:
        return asyncio.run(asyncio.wait_for(_answer(address), ANSWER_TIMEOUT_MS / 1000)), ""
    except TimeoutError:
        return None, "no answer within 5 s"
    except KafkaError as error:
        return None, str(error.__cause__ or error)


async def _answer(address: str) -> Answer:
    from barnabas.client.cluster import Cluster, Settings

    async with Cluster(address, Settings(client_id="barnabas-status", api_timeout_ms=ANSWER_TIMEOUT_MS - 500)) as cluster:
        await cluster.refresh()
        connection = await cluster.any_connection()
        return Answer(cluster.cluster_id, len(cluster.topics), sum(len(topic.partitions) for topic in cluster.topics.values()), connection.features)
