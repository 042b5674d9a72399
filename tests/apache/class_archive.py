"""`python -m tests.apache.class_archive`: an archive of the classes that a node of the release loads, which the JVM maps instead of loading them (JEP 350).

Made once, by running a node. With it a node is up with half the processor's time; a tool takes two thirds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import confluent_kafka

from tests import nodes
from tests.apache import release


def make(archive: Path) -> None:
    """Run a node through what most nodes of the tests do; its JVM writes the archive when it ends."""
    release.apache_libs()
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        written = Path(scratch) / archive.name
        flags = [f"-XX:ArchiveClassesAtExit={written}" if str(release.CLASS_ARCHIVE) in flag else flag for flag in release.QUICK_SERVER_FLAGS]
        engine = nodes.APACHE._replace(start_command=lambda path: release.java_command("kafka.Kafka", [str(path)], flags))
        node = nodes.new_node(engine, Path(scratch) / "node")
        try:
            _use(node.start())
        finally:
            node.stop()
        if written.exists():  # JVMs without the feature go on without
            written.rename(archive)


def _use(node: nodes.Node) -> None:
    settings = {"bootstrap.servers": node.bootstrap, "log_level": 0}
    producer = confluent_kafka.Producer({**settings, "enable.idempotence": True})
    producer.produce("t", b"x")
    producer.flush(30)
    consumer = confluent_kafka.Consumer({**settings, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["t"])
    assert consumer.consume(1, 30)
    consumer.commit(asynchronous=False)
    consumer.close()


if __name__ == "__main__" and not release.CLASS_ARCHIVE.exists():
    make(release.CLASS_ARCHIVE)
