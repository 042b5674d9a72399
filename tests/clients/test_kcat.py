"""kcat (Debian: kcat) against a node: produce, consume, metadata."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = pytest.mark.node

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LINES = [f"line {n}" for n in range(100)]


def kcat(node: Node, *arguments: str, stdin: str | None = None) -> str:
    program = shutil.which("kcat")
    assert program, "kcat isn't on PATH: install Debian's kcat package"
    done = subprocess.run([program, "-b", node.bootstrap, *arguments], input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_round_trip(barnabas_node: Node) -> None:
    """Every codec, all at once: kcat waits more than it works."""
    with ThreadPoolExecutor(len(CODECS)) as pool:
        for result in [pool.submit(round_trip, barnabas_node, codec) for codec in CODECS]:
            result.result()


def round_trip(node: Node, codec: str) -> None:
    topic = f"kcat-{uuid.uuid4().hex[:8]}"
    kcat(node, "-P", "-t", topic, "-p", "0", "-z", codec, stdin="\n".join(LINES) + "\n")
    assert kcat(node, "-C", "-t", topic, "-o", "beginning", "-e", "-q").splitlines() == LINES
    assert kcat(node, "-C", "-t", topic, "-o", "-3", "-e", "-q").splitlines() == LINES[-3:]


def test_metadata(barnabas_node: Node) -> None:
    found = json.loads(kcat(barnabas_node, "-L", "-J"))
    assert [broker["name"] for broker in found["brokers"]] == [barnabas_node.bootstrap]
    assert found["controllerid"] == 1


def test_a_group(barnabas_node: Node) -> None:
    topic, group = f"kcat-{uuid.uuid4().hex[:8]}", f"group-{uuid.uuid4().hex[:8]}"
    kcat(barnabas_node, "-P", "-t", topic, "-p", "0", stdin="\n".join(LINES) + "\n")
    found = kcat(barnabas_node, "-G", group, topic, "-X", "auto.offset.reset=earliest", "-q", "-c", "100").splitlines()
    assert found == LINES
