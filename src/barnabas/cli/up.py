"""barnabas up: a node on this machine, in one step. Makes the home, formats it once, starts the node, proves that a record goes in and comes out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from .home import BROKER_PORT, CONTROLLER_PORT, Home, HomeError, free_port, is_free
from .processes import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .terminal import Terminal

START_TIMEOUT_S = 60.0
PROOF_TIMEOUT_MS = 20_000
PROOF_TOPIC = "barnabas-proof"
PAUSE_S = 0.005


def up(terminal: Terminal, directory: str, port: int | None) -> int:
    home = Home(directory)
    try:
        pid = _serving(home)
        if pid is not None:
            return _already_up(terminal, home, pid)
        created = _prepare(terminal, home, port)
        settings = home.settings()
        if not created and port is None and _leave_taken_ports(terminal, home, settings):
            settings = home.settings()
        host, client_port = home.address(settings)
        _check_ports(home, settings, client_port)
        formatted = not home.is_formatted(settings)
        if formatted:
            cluster_id = format_home(home)
            terminal.done(f"Formatted {', '.join(home.log_dirs(settings))}", f"cluster id {cluster_id}")
        began = time.monotonic()
        process = home.start()
        wait_until_serving(home, process, host, client_port, began)
        serving_s = time.monotonic() - began
        terminal.done(
            f"Node {settings.get('node.id', '?')} serves on {terminal.style(f'{host}:{client_port}', 'bold')}",
            f"pid {process.pid}, after {duration_text(serving_s)}",
        )
        proof_s = _prove(f"{host}:{client_port}")
        terminal.done("One record went in and came out", duration_text(proof_s))
    except HomeError as error:
        return terminal.fail(str(error))
    _say_next(terminal, home, f"{host}:{client_port}", directory)
    terminal.result(
        {
            "address": f"{host}:{client_port}",
            "pid": process.pid,
            "directory": home.directory,
            "created": created,
            "formatted": formatted,
            "serving_s": round(serving_s, 3),
            "proof_s": round(proof_s, 4),
        }
    )
    return 0


def _serving(home: Home) -> int | None:
    """The node that is there already: one that is starting is waited for, and one that was killed just now. Raises HomeError."""
    began = time.monotonic()
    while (pid := home.pid()) is not None and not lists_broker(*home.address(home.settings())):
        if time.monotonic() - began > START_TIMEOUT_S:
            raise HomeError(
                f"Process {pid} is this node, but hasn't served for {START_TIMEOUT_S:.0f} s. See {home.output_path}; `kill -9 {pid}` ends it."
            )
        time.sleep(PAUSE_S)
    return pid


def _already_up(terminal: Terminal, home: Home, pid: int) -> int:
    host, port = home.address(home.settings())
    terminal.done(f"A node already runs on {terminal.style(f'{host}:{port}', 'bold')}", f"pid {pid}, {home.directory}")
    terminal.result({"address": f"{host}:{port}", "pid": pid, "directory": home.directory, "created": False, "formatted": False})
    return 0


def _prepare(terminal: Terminal, home: Home, wanted: int | None) -> bool:
    """The home's server.properties, if there is none yet. Raises HomeError."""
    if home.exists():
        if wanted is not None and wanted != home.address(home.settings())[1]:
            raise HomeError(
                f"{home.properties_path} is there already and says another port: edit listeners and advertised.listeners in it, or use another --dir."
            )
        return False
    if wanted is not None and not is_free(wanted):
        raise HomeError(f"Something already listens on port {wanted}: choose another --port, or none to get a free one.")
    port = wanted if wanted is not None else free_port(BROKER_PORT)
    controller_port = free_port(CONTROLLER_PORT, avoid=port)
    try:
        home.create(port, controller_port)
    except OSError as error:
        raise HomeError(f"{home.directory} can't be made: {error.strerror}. Choose another with --dir or BARNABAS_DATA.") from error
    if wanted is None and port != BROKER_PORT:
        terminal.note(f"Port {BROKER_PORT} is taken: this node gets {terminal.style(str(port), 'bold')}, and keeps it.")
    if controller_port != CONTROLLER_PORT:
        terminal.note(f"Port {CONTROLLER_PORT} is taken: its controller gets {controller_port}.")
    terminal.done(f"Wrote {home.properties_path}")
    return True


def _leave_taken_ports(terminal: Terminal, home: Home, settings: Mapping[str, str]) -> bool:
    """Other ports for a home whose own are taken by now, if nobody has edited its server.properties. Raises HomeError."""
    port, controller_port = home.address(settings)[1], home.controller_port(settings)
    if controller_port is None or (is_free(port) and is_free(controller_port)) or not home.is_as_written(port, controller_port):
        return False
    new_port = free_port(port)
    home.rewrite(new_port, free_port(controller_port, avoid=new_port))
    taken = port if new_port != port else controller_port
    terminal.note(f"Port {taken} is taken: this node moves to {terminal.style(str(new_port), 'bold')}, and keeps it.")
    return True


def _check_ports(home: Home, settings: Mapping[str, str], port: int) -> None:
    for used in (port, home.controller_port(settings)):
        if used is not None and not is_free(used):
            raise HomeError(
                f"Port {used}, which {home.properties_path} gives this node, is taken by another process. Stop that one, or change the port in listeners there."
            )


def format_home(home: Home) -> str:
    """Formats the log directories as `kafka-storage format --standalone` does. Returns the cluster's id. Raises HomeError."""
    from barnabas.storage.meta_properties import new_directory_id
    from barnabas.wire.types import uuid_text

    from .kafka import storage

    cluster_id = uuid_text(new_directory_id())
    complaints: list[str] = []
    if storage.run(["format", "-t", cluster_id, "-c", home.properties_path, "--standalone"], lambda line: None, complaints.append):
        raise HomeError(f"Formatting failed: {' '.join(complaints)}")
    return cluster_id


def wait_until_serving(home: Home, process: subprocess.Popen[bytes], host: str, port: int, began: float) -> None:
    """Returns when the node lists itself. Raises HomeError, ending the process if it takes too long."""
    while not lists_broker(host, port):
        if process.poll() is not None:
            raise HomeError(f"The node ended with status {process.returncode} while starting. The end of {home.output_path}:\n{home.output_tail()}")
        if time.monotonic() - began > START_TIMEOUT_S:
            process.terminate()
            raise HomeError(
                f"The node didn't serve within {START_TIMEOUT_S:.0f} s and was stopped. The end of {home.output_path}:\n{home.output_tail()}"
            )
        time.sleep(PAUSE_S)


def lists_broker(host: str, port: int) -> bool:
    """Whether Metadata names a broker: one that is still fenced isn't named."""
    import socket
    import struct

    from barnabas.wire.messages.header import RequestHeader
    from barnabas.wire.messages.metadata import MetadataRequest, MetadataResponse

    version = 1
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            header = RequestHeader(request_api_key=MetadataRequest.api_key, request_api_version=version, correlation_id=1, client_id="barnabas-up")
            request = header.encode(1) + MetadataRequest(topics=[]).encode(version)
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as replies:
                size = int.from_bytes(replies.read(4), "big")
                reply = replies.read(size) if 4 < size < 1 << 24 else b""
    except OSError:
        return False
    try:
        return len(reply) > 4 and bool(MetadataResponse.decode(reply[4:], version).brokers)
    except ValueError:
        return False


def _prove(address: str) -> float:
    """Produces and consumes one record on a topic of its own, which goes again. Returns the seconds from send to receipt. Raises HomeError."""
    import asyncio

    try:
        return asyncio.run(asyncio.wait_for(_round_trip(address), PROOF_TIMEOUT_MS / 1000))
    except TimeoutError:
        raise HomeError("The node serves, but a record didn't come back within 20 s. See node.out in its directory.") from None


async def _round_trip(address: str) -> float:
    from barnabas.client.admin import first_failure, offsets, topics
    from barnabas.client.cluster import Cluster, Settings
    from barnabas.client.consumer import Consumer
    from barnabas.client.errors import KafkaError
    from barnabas.client.producer import Producer, ProducerSettings

    async with Cluster(address, Settings(client_id="barnabas-up", api_timeout_ms=PROOF_TIMEOUT_MS)) as cluster:
        try:
            if PROOF_TOPIC not in await topics.names(cluster):
                first_failure(await topics.create(cluster, [topics.NewTopic(PROOF_TOPIC, 1, 1)]))
            await cluster.leader(PROOF_TOPIC, 0)
            began = time.monotonic()
            producer = Producer(cluster, ProducerSettings(linger_ms=0, idempotence=False))
            sent = await (await producer.send(PROOF_TOPIC, b"It works.", b"proof", partition=0))
            consumer = Consumer(cluster)
            consumer.assign({(PROOF_TOPIC, 0): sent.offset if sent.offset >= 0 else offsets.EARLIEST})
            records = await consumer.poll(PROOF_TIMEOUT_MS)
            took_s = time.monotonic() - began
            await producer.close()
            if not records or records[0].value != b"It works.":
                raise HomeError(f"The node serves, but the record that came back wasn't the one sent: {records[:1]}")
            first_failure(await topics.delete(cluster, [PROOF_TOPIC]))
        except KafkaError as error:
            raise HomeError(f"The node serves, but a record didn't go in and out: {error.error.name}: {error}") from error
        return took_s


def _say_next(terminal: Terminal, home: Home, address: str, directory: str) -> None:
    where = f" --dir {directory}" if os.path.abspath("data") != home.directory else ""
    scripts = command_prefix()
    terminal.line()
    terminal.line("Next:")
    terminal.command(f"{scripts}kafka-topics --bootstrap-server {address} --create --topic first")
    terminal.command(f"{scripts}kafka-console-producer --bootstrap-server {address} --topic first", "type lines, end with Ctrl-D")
    terminal.command(f"{scripts}kafka-console-consumer --bootstrap-server {address} --topic first --from-beginning")
    terminal.command(f"{scripts}barnabas status{where}")
    terminal.command(f"{scripts}barnabas down{where}", "the data stays")


def command_prefix() -> str:
    """What to type before a command's name: nothing where the shell finds it, else the way to this environment's scripts."""
    folder = os.path.dirname(sys.executable)
    if folder in os.environ.get("PATH", "").split(os.pathsep):
        return ""
    below = os.path.relpath(folder)
    return os.path.join(folder if below.startswith(os.pardir) else below, "")
