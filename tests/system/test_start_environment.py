"""What the environment says to kafka-server-start.sh: the documents' start wrapper, their log4j.properties, a log4j2.yaml by either engine; and the files."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import nodes
from tests.apache import release
from tests.conftest import SUBJECT
from tests.nodes import SCRIPTS, Node
from tests.system.waiting import wait_until
from tests.unit.node.config.test_log4j import DOCUMENTS, YAML

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import NodeFactory

pytestmark = pytest.mark.node

START = SCRIPTS / "kafka-server-start.sh"
KAFKAS_LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] (?:INFO|WARN|ERROR) .* \(.+\)")
WRAPPER = """#!/bin/bash

# JVM Heap Settings (adjust based on available RAM)
export KAFKA_HEAP_OPTS="-Xms16g -Xmx16g"

# JVM Performance Options (G1GC recommended)
export KAFKA_JVM_PERFORMANCE_OPTS="-XX:+UseG1GC \\
  -XX:MaxGCPauseMillis=20 \\
  -XX:InitiatingHeapOccupancyPercent=35 \\
  -XX:G1HeapRegionSize=16M \\
  -XX:MinMetaspaceSize=96m \\
  -XX:MaxMetaspaceSize=512m \\
  -XX:+ParallelRefProcEnabled \\
  -XX:+DisableExplicitGC"

# GC Logging
export KAFKA_GC_LOG_OPTS="-Xlog:gc*:file=/var/log/kafka/gc.log:time,tags:filecount=10,filesize=100M"

# JMX Monitoring
export KAFKA_JMX_OPTS="-Dcom.sun.management.jmxremote \\
  -Dcom.sun.management.jmxremote.authenticate=false \\
  -Dcom.sun.management.jmxremote.ssl=false \\
  -Dcom.sun.management.jmxremote.port=9999 \\
  -Djava.rmi.server.hostname=kafka-broker-1.prod.company.com"

# Start Kafka
exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties
"""


Through = Callable[[Node, Path, str], Node]


@pytest.fixture
def through() -> Iterator[Through]:
    """Nodes as they are, to be started by a script; killed at the end."""
    made: list[Node] = []

    def make(node: Node, script: Path, text: str) -> Node:
        made.append(_through(node, script, text))
        return made[-1]

    yield make
    for node in made:
        node.kill()


def _through(node: Node, script: Path, text: str) -> Node:
    script.write_text(
        text.replace("/opt/kafka/bin/kafka-server-start.sh", str(START)).replace("/opt/kafka/config/server.properties", str(node.properties_file))
    )
    script.chmod(0o755)
    return node.on(node.engine._replace(start_command=lambda properties: [str(script)]))


def exported(environment: Mapping[str, str]) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    return "\n".join(["#!/bin/bash", *lines, "exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties", ""])


def test_the_documents_wrapper(barnabas_nodes: NodeFactory, through: Through, tmp_path: Path) -> None:
    """As written no JVM starts with it, and what to write is said; mended it starts a node, and each variable without a meaning is named."""
    node = through(barnabas_nodes(start=False), tmp_path / "start.sh", WRAPPER)
    assert node.spawn().wait(30) == 1
    assert "Unrecognized VM option 'MinMetaspaceSize=96m'\n" in node.tail() and "-XX:MetaspaceSize=96m" in node.tail()
    node = through(node, tmp_path / "start.sh", WRAPPER.replace("MinMetaspaceSize", "MetaspaceSize"))
    node.output.unlink()
    node.start()
    wait_until(lambda: "] INFO Kafka Server started: " in node.tail())
    for name in ("KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS", "KAFKA_JMX_OPTS"):
        assert node.tail().count(f"{name} has no meaning here") == 1
    assert node.stop() == 0
    assert not list(node.properties_file.parent.glob("logs"))  # nobody asked for files


def test_logs_in_log_dir(barnabas_nodes: NodeFactory, through: Through, tmp_path: Path) -> None:
    """LOG_DIR: the release's files there, the console's lines in server.log; what an agent of a JVM or a login file would do is said not to be done."""
    logs = tmp_path / "var" / "log" / "kafka"
    options = "-javaagent:/opt/kafka/libs/jmx_prometheus_javaagent.jar=7071:/opt/kafka/config/jmx-exporter.yml"
    node = through(barnabas_nodes(start=False), tmp_path / "start.sh", exported({"LOG_DIR": str(logs), "KAFKA_OPTS": options}))
    node.start()
    assert f"KAFKA_OPTS {options} has no meaning here" in node.tail()
    assert node.stop() == 0
    lines = _text(logs).splitlines()
    assert [line for line in node.tail().splitlines() if line.startswith("[")] == lines
    assert all(map(KAFKAS_LINE.fullmatch, lines)) and "shut down completed" in lines[-1]
    assert (logs / "controller.log").read_text() == ""
    node.properties_file.write_text(node.properties_file.read_text().replace("node.id=1", "node.id=one"))
    assert node.spawn().wait(30) == 1
    assert "node.id" in (logs / "server.log").read_text().splitlines()[-1]  # why it didn't start stands there, too


def test_the_documents_log4j_properties(barnabas_nodes: NodeFactory, through: Through, tmp_path: Path) -> None:
    """The console and server.log get the lines, errors of replicas and controllers too; controller.log is made, the request log isn't, as with Apache Kafka."""
    logs = tmp_path / "kafka"
    configuration = tmp_path / "log4j.properties"
    configuration.write_text(DOCUMENTS.replace("/var/log/kafka", str(logs)))
    node = barnabas_nodes(start=False)
    stray = node.log_dir / "orders-0"
    node = through(node, tmp_path / "start.sh", exported({"KAFKA_LOG4J_OPTS": f"-Dlog4j.configuration=file:{configuration}"}))
    node.start().stop()
    stray.mkdir()
    node.start().stop()
    assert {entry.name: entry.stat().st_size > 0 for entry in logs.iterdir()} == {"server.log": True, "controller.log": False}
    lines = (logs / "server.log").read_text().splitlines()
    assert all(map(KAFKAS_LINE.fullmatch, lines)) and lines[-1] in node.tail()
    assert f"{stray}." in _grep("replica", logs / "server.log")
    assert "kafka.controller" in _grep("WARN", logs / "server.log")
    alone = node.properties_file.read_text().replace("process.roles=broker,controller", "process.roles=broker")
    node.properties_file.write_text(re.sub(r",CONTROLLER://[^,\n]*", "", alone) + "\ninitial.broker.registration.timeout.ms=500\n")
    shutil.rmtree(node.log_dir)
    node.format(quorum=("--no-initial-controllers",))
    assert node.spawn().wait(30) == 1, node.tail()
    assert "ERROR" in _grep("controller", logs / "server.log").splitlines()[-1]


def _grep(word: str, path: Path) -> str:
    return subprocess.run(["grep", "-i", word, str(path)], capture_output=True, text=True).stdout


@pytest.mark.apache
def test_a_log4j2_yaml_by_either_engine(barnabas_nodes: NodeFactory, through: Through, tmp_path: Path) -> None:
    """The same file makes the same files, with lines of the same form."""
    configuration = tmp_path / "log4j2.yaml"
    configuration.write_text(YAML)
    node = barnabas_nodes(start=False)
    found = {}
    for engine in (nodes.APACHE, SUBJECT):
        logs = tmp_path / engine.name
        options = f"-Dkafka.logs.dir={logs} -Dlog4j2.configurationFile={configuration}"
        script = exported({"KAFKA_LOG4J_OPTS": options})
        if engine is nodes.APACHE:
            command = release.java_command("kafka.Kafka", [str(node.properties_file)], release.QUICK_SERVER_FLAGS)
            command[1:] = [*options.split(), *(word for word in command[1:] if "log4j2" not in word)]
            script = f"#!/bin/bash\nexec {shlex.join(command)}\n"
        node = through(node.on(engine), tmp_path / "start.sh", script)
        node.start()
        wait_until(lambda logs=logs: "Server started" in _text(logs))  # type: ignore[misc]
        node.stop()
        lines = _text(logs).splitlines()
        assert KAFKAS_LINE.fullmatch(lines[0]) and KAFKAS_LINE.fullmatch(lines[-1])
        assert lines[-1] in node.tail()
        found[engine.name] = sorted({entry.name.partition(".log")[0] + ".log" for entry in logs.iterdir()})
    assert found["apache"] == found["barnabas"] == ["controller.log", "server.log"]


def _text(logs: Path) -> str:
    """All of server.log, also what the turn of an hour has put aside."""
    return "".join(path.read_text() for path in sorted(logs.glob("server.log*"), key=lambda path: path.suffix == ".log"))


def test_what_cannot_be_read(barnabas_nodes: NodeFactory, through: Through, tmp_path: Path) -> None:
    """A configuration that can't be followed keeps the node from starting, with the file and the reason, rather than that lines get lost."""
    configuration = tmp_path / "log4j2.xml"
    configuration.write_text("<Configuration/>")
    made = barnabas_nodes(start=False)
    for value, why in (
        (f"-Dlog4j2.configurationFile={configuration}", f"{configuration}: only log4j 1's properties"),
        (f"-Dlog4j2.configurationFile={tmp_path}/none.yaml", "No such file"),
        ("-Dlog4j2.configurationFile='", "No closing quotation"),
    ):
        node = through(made, tmp_path / "start.sh", exported({"KAFKA_LOG4J_OPTS": value}))
        assert node.spawn().wait(30) == 1
        assert why in node.tail()
