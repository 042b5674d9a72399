"""A node whose configuration is the environment's, as in Kafka's container image: both engines' wrappers make the same files of it, and it serves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apache import release
from tests.conftest import SUBJECT, scratch
from tests.nodes import Node, combined_properties, random_uuid_text
from tests.unit.node.config.test_log4j import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.node

WRAPPER = "kafka.docker.KafkaDockerWrapper"
DOCUMENTS = {  # as the documents' compose file has it; the rest is what it leaves out
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = scratch()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def variables(properties: Mapping[str, str]) -> dict[str, str]:
    return {"KAFKA_" + key.replace("_", "__").replace("-", "___").replace(".", "_").upper(): value for key, value in properties.items()}


class Image:
    """The folders of a container."""

    def __init__(self, folder: Path) -> None:
        self.default, self.mounted, self.final = (folder / name for name in ("default", "mounted", "final"))
        for made in (self.default, self.mounted, self.final):
            made.mkdir(parents=True)

    def set_up(self, command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        words = ["setup", "-D", str(self.default), "--mounted-configs-dir", str(self.mounted), "--final-configs-dir", str(self.final)]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_") and name != "CLUSTER_ID"}
        return subprocess.run([*command, *words], env=plain | dict(environment), capture_output=True, text=True, timeout=60)

    def made(self) -> list[str]:
        return sorted((self.final / "server.properties").read_text().split("\n"))


OURS = [sys.executable, "-m", "barnabas.cli.kafka", "kafka-run-class", WRAPPER]


def test_keys_of_the_environment(folder: Path) -> None:
    """The documents' variables, and those without which no node starts: it is formatted, and serves."""
    image = Image(folder)
    properties = combined_properties(folder / "data")
    properties["controller.quorum.voters"] = f"1@{properties.pop('controller.quorum.bootstrap.servers')}"
    environment = variables(properties) | DOCUMENTS | {"CLUSTER_ID": random_uuid_text()}
    environment["KAFKA_CONTROLLER_QUORUM_VOTERS"] = properties["controller.quorum.voters"]
    done = image.set_up(OURS, environment)
    assert done.returncode == 0, done
    assert f"controller.quorum.voters={properties['controller.quorum.voters']}" in image.made()
    node = Node(SUBJECT, image.final / "server.properties").start()
    try:
        assert node.running()
    finally:
        assert node.stop() == 0
    again = image.set_up(OURS, environment)
    assert again.returncode == 1 and "already formatted" in again.stdout + again.stderr


@pytest.mark.apache
@pytest.mark.parametrize("case", ["environment", "mounted", "mounted alone", "default", "no cluster id"])
def test_files_as_by_apache(folder: Path, case: str) -> None:
    """The same files out of what the image has, what is mounted and the environment, and the same exit status."""
    found = []
    for name, command in (("theirs", release.java_command(WRAPPER)), ("ours", OURS)):
        image = Image(folder / name)
        data = folder / "data"
        text = "\n".join(f"{key}={value}" for key, value in (BASE | {"log.dirs": str(data)}).items())
        (image.default / "server.properties").write_text(f"# the image's\n{text}\n")
        for directory in (image.default, image.mounted):
            (directory / "log4j2.yaml").write_text(YAML)
            (directory / "tools-log4j2.yaml").write_text(YAML)
        environment = {"CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw", "KAFKA_HEAP_OPTS": "-Xmx64m"}
        if case.startswith("mounted"):
            (image.mounted / "server.properties").write_text(f"# the user's\n{text}")
        if case in ("environment", "mounted", "no cluster id"):
            environment |= variables(BASE | {"log.dirs": str(data), "some-key_with.all": "x"})
        if case == "no cluster id":
            del environment["CLUSTER_ID"]
        done = image.set_up(command, environment)
        formatted = (data / "meta.properties").exists()
        shutil.rmtree(data, ignore_errors=True)
        found.append((done.returncode, image.made(), formatted, "CLUSTER_ID environment variable is not set" in done.stderr))
    assert found[1] == found[0]
    assert found[0][2] == (case != "no cluster id")


BASE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": "1@localhost:9093",
    "controller.listener.names": "CONTROLLER",
    "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
}


def test_levels(folder: Path) -> None:
    """KAFKA_LOG4J_ROOT_LOGLEVEL and KAFKA_LOG4J_LOGGERS in log4j2.yaml; where files go stays."""
    from barnabas.node.config.log4j import read_logging
    from barnabas.node.console_log import WARN

    image = Image(folder)
    for file in ("log4j2.yaml", "tools-log4j2.yaml"):
        (image.default / file).write_text(YAML)
    environment = variables(BASE | {"log.dirs": str(folder / "data")}) | {
        "CLUSTER_ID": random_uuid_text(),
        "KAFKA_LOG4J_ROOT_LOGLEVEL": "WARN",
        "KAFKA_LOG4J_LOGGERS": "kafka=DEBUG,org.apache.kafka.raft=ERROR",
    }
    assert image.set_up(OURS, environment).returncode == 0
    logging = read_logging(str(image.final / "log4j2.yaml"), "/logs")
    assert logging.level == WARN and logging.appenders[1].path == "/logs/server.log"
    assert [name for name in ("kafka:", "org.apache.kafka.raft:") if any(f"logger {name}" in warning for warning in logging.warnings)] == [
        "kafka:",
        "org.apache.kafka.raft:",
    ]
    assert (image.final / "tools-log4j2.yaml").read_text() == YAML
