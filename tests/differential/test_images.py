"""Logs of random histories, replayed by Apache's own deltas and by ours: equal images at the end (T11, T21). And what we write, Apache can read (C3)."""

from __future__ import annotations

import subprocess

import pytest

from barnabas.core.metadata.record_versions import decode_record, encode_record, record_version
from barnabas.core.metadata.snapshot import image_records
from barnabas.wire.logs.cluster_metadata import BeginTransactionRecord, EndTransactionRecord, RegisterBrokerRecord
from tests.apache import release
from tests.property.test_controller_histories import History
from tests.unit.core.controller.cluster import image_of

pytestmark = [pytest.mark.apache]

SOURCE = release.HERE / "java" / "ReplayMetadata.java"
HISTORIES = 150


def replayed_by_apache(logs: list[list[bytes]]) -> list[list[bytes]]:
    """For each log the records of the image that the release makes of it."""
    given = "".join("".join(f"{record.hex()}\n" for record in log) + "\n" for log in logs)
    done = subprocess.run(release.java_command(str(SOURCE)), input=given, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [[bytes.fromhex(line) for line in image.split()] for image in done.stdout.split("\n\n")[: len(logs)]]


def test_equal_images_after_random_histories() -> None:
    histories = [History(seed, elr=seed % 2 == 0) for seed in range(HISTORIES)]
    logs = []
    for history in histories:
        for _ in range(60):
            history.step()
        history.cluster.commit()
        log = history.cluster.log
        logs.append(
            [encode_record(record, version) for record, version in log if not isinstance(record, BeginTransactionRecord | EndTransactionRecord)]
        )
    for history, theirs in zip(histories, replayed_by_apache(logs), strict=True):
        image = history.cluster.image
        assert image_of([decode_record(record)[0] for record in theirs]).same_contents_as(image)
        level = image.features.metadata_version
        ours = [encode_record(record, record_version(record, level)) for record in image_records(image)]
        assert sorted(filter(without_lists, ours)) == sorted(filter(without_lists, theirs))


def without_lists(record: bytes) -> bool:
    """Registrations list features and listeners in hash order."""
    return record[1] != RegisterBrokerRecord.api_key
