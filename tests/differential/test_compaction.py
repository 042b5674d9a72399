"""What is left of a compacted log, against Apache Kafka's own Cleaner on a copy of the same directory: file by file, round after round.

And both engines compacting in turn in one directory (D117-D125, M12, T24). SEEDS=100 says how many histories.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from barnabas.storage.log_config import LogConfig
from barnabas.wire.records.batch import CODEC_MASK, iterate_headers
from barnabas.wire.records.record import decode_records
from tests import nodes
from tests.apache import release
from tests.compacted import LOAD_FACTOR, TABLE_BYTES, History, compact, look_at
from tests.conftest import SUBJECT
from tests.differential.transcript import Client, wait_for_leaders
from tests.logs import NOW_MS, Replica
from tests.system.requests import create_topics, put
from tests.system.test_compaction import COMPACT, EAGER, keyed, read_keys
from tests.system.test_config_topics import checkpoint
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.apache

SOURCE = release.HERE / "java" / "CleanLogs.java"
SEEDS = int(os.environ.get("SEEDS", "12"))
RETENTION_MS = 10_000
CONFIG = LogConfig(
    segment_bytes=4096,
    segment_index_bytes=960,
    index_interval_bytes=200,
    retention_ms=-1,
    compact=True,
    delete=False,
    delete_retention_ms=RETENTION_MS,
)
APACHE_CONFIG = ",".join(
    [
        "internal.segment.bytes=4096",
        "segment.index.bytes=960",
        "index.interval.bytes=200",
        "retention.ms=-1",
        "cleanup.policy=compact",
        f"delete.retention.ms={RETENTION_MS}",
    ]
)


class ApacheCleaner:
    def __init__(self) -> None:
        self.process = subprocess.Popen(release.java_command(str(SOURCE)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def clean(self, directory: Path, now_ms: int, first_dirty: int, end: int, table_bytes: int) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{directory} {now_ms} {first_dirty} {end} {table_bytes} {LOAD_FACTOR} {APACHE_CONFIG}\n")
        self.process.stdin.flush()
        said, _, rest = self.process.stdout.readline().strip().partition(" ")
        assert said == "OK", rest
        return int(rest)


@pytest.fixture(scope="module")
def cleaner(apache_libs: Path) -> Iterator[ApacheCleaner]:
    found = ApacheCleaner()
    yield found
    found.process.kill()
    found.process.communicate()


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if not path.name.endswith(".deleted")}


def batches(data: bytes) -> list[object]:
    """Compressed records as what they hold: the same codec, by two libraries."""
    found: list[object] = []
    for position, header in iterate_headers(data):
        batch = data[position : position + header.size]
        if header.attributes & CODEC_MASK and header.count:
            found.append((header._replace(length=0, crc=0), list(decode_records(batch))))
        else:
            found.append(batch)
    return found


def differences(ours: dict[str, bytes], theirs: dict[str, bytes]) -> list[str]:
    found = [f"{name} is only ours" for name in ours.keys() - theirs.keys()] + [f"{name} is only theirs" for name in theirs.keys() - ours.keys()]
    for name in sorted(ours.keys() & theirs.keys()):
        if name.endswith(".log"):
            one, other = batches(ours[name]), batches(theirs[name])
            if one != other:
                found += [f"{name}: {a!r} but {b!r}" for a, b in zip(one, other, strict=False) if a != b][:1] or [
                    f"{name}: {len(one)} but {len(other)}"
                ]
        elif name.endswith((".index", ".timeindex")) and recompressed_positions(name, ours, theirs):
            continue
        elif ours[name] != theirs[name] and not name.endswith(".snapshot"):
            found.append(f"{name}: {ours[name].hex()} but {theirs[name].hex()}")
        elif name.endswith(".snapshot") and len(ours[name]) != len(theirs[name]):
            found.append(f"{name}: {len(ours[name])} bytes but {len(theirs[name])}")
    return found


def recompressed_positions(name: str, ours: dict[str, bytes], theirs: dict[str, bytes]) -> bool:
    log = name.partition(".")[0] + ".log"
    return [header.length for _, header in iterate_headers(ours[log])] != [header.length for _, header in iterate_headers(theirs[log])]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_same_is_left(seed: int, tmp_path: Path, cleaner: ApacheCleaner) -> None:
    random = Random(seed)
    mine, its = tmp_path / "topic-0", tmp_path / "apache" / "topic-0"
    mine.mkdir()
    table_bytes = random.choice((TABLE_BYTES, TABLE_BYTES, 24 * 9))
    replica = Replica(mine, CONFIG)
    # Where it begins behind a marker in the midst of a segment, Apache Kafka takes what a producer committed later for aborted, and notes no keys of it.
    history = History(random, replica, keys=random.choice((3, 12, 60)), transactions=table_bytes == TABLE_BYTES)
    checkpoint = None
    now_ms = NOW_MS
    for _ in range(4):
        history.write(random.choice((20, 80, 150)))
        if random.random() < 0.5:
            history.settle()
        replica.log.roll()
        part = look_at(replica, checkpoint, now_ms)
        replica.log.close()
        shutil.rmtree(its, ignore_errors=True)
        shutil.copytree(mine, its)
        replica = Replica(mine, CONFIG, now_ms=now_ms)
        history.reopened(replica)
        cleaned = compact(replica, checkpoint, now_ms, table_bytes)
        replica.log.remove_deleted_files(now_ms)
        state = replica.state()
        replica.log.close()
        assert cleaner.clean(its, now_ms, part.first_dirty_offset, part.end_offset, table_bytes) == cleaned.offset
        assert differences(files(mine), files(its)) == []
        replica = Replica(mine, CONFIG, now_ms=now_ms)
        assert replica.state() == state
        history.reopened(replica)
        checkpoint = cleaned.offset
        now_ms += random.choice((0, RETENTION_MS // 2, 2 * RETENTION_MS))


@pytest.mark.node
def test_in_turn_in_one_directory(apache_libs: Path) -> None:
    """Either hands over to the other after a clean stop and after a kill."""
    scratch = Path(tempfile.mkdtemp(prefix="barnabas-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    node = nodes.new_node(SUBJECT, scratch, EAGER | nodes.SHORT_SESSION).start()
    try:
        create_topics(node.port, "t", configs=COMPACT)
        written: dict[bytes, int] = {}
        sequence = 0
        for end, engine in (("stop", nodes.APACHE), ("kill", SUBJECT), ("kill", nodes.APACHE), ("stop", SUBJECT)):
            client = Client(node.port)
            wait_for_leaders(client, "t", 1)
            for number in range(60):
                key = b"%d" % (number * 7 % 25)
                row = put(client, "t", 0, keyed((key, b"x" * 30), producer=(4000, 0, sequence)))
                assert row.error_code == 0
                written[key] = row.base_offset
                sequence += 1
            end_offset = row.base_offset
            wait_until(lambda: (checkpoint(node, "cleaner-offset-checkpoint", "t") or 0) > end_offset - 10)  # noqa: B023
            again = put(client, "t", 0, keyed((key, b"x" * 30), producer=(4000, 0, sequence - 1)))
            assert (again.error_code, again.base_offset) == (0, end_offset), "known for what it is"
            client.close()
            node.stop() if end == "stop" else node.kill()
            node = node.on(engine).start()
            client = Client(node.port)
            wait_for_leaders(client, "t", 1)
            found = read_keys(client, "t")
            client.close()
            assert {key: offset for offset, key in sorted(found.items())} == written
            assert len(found) < end_offset / 2 + 30
    finally:
        node.kill()
        shutil.rmtree(scratch, ignore_errors=True)
