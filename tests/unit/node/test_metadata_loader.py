"""Images from committed batches, metadata transactions among them (C3, C6)."""

from __future__ import annotations

import pytest

from barnabas.core.metadata.delta import UnreplayableRecord
from barnabas.node.metadata_batches import MetadataBatch
from barnabas.node.metadata_loader import MetadataLoader
from barnabas.wire.logs.cluster_metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from barnabas.wire.schema import Message

BEGIN, END, ABORT = BeginTransactionRecord(name="x"), EndTransactionRecord(), AbortTransactionRecord(reason="x")


def topic(number: int) -> TopicRecord:
    return TopicRecord(name=f"t{number}", topic_id=bytes([number]) * 16)


def batch(base_offset: int, *records: Message) -> MetadataBatch:
    return MetadataBatch(base_offset, base_offset + max(len(records), 1) - 1, 1, 5, 100, records)


def names(loader: MetadataLoader) -> list[str]:
    return sorted(loader.image.topics.by_name)


def test_batches_become_images() -> None:
    loader = MetadataLoader()
    assert loader.publish() is None
    loader.replay(batch(0, topic(1)))
    loader.replay(batch(1))  # a control batch advances the offset
    published = loader.publish()
    assert published is not None
    delta, image = published
    assert (image.offset, image.epoch, image.timestamp_ms, names(loader)) == (1, 1, 5, ["t1"])
    assert [found.name for found in delta.topics_created] == ["t1"] and loader.publish() is None


def test_a_transaction_shows_when_it_ends() -> None:
    loader = MetadataLoader()
    loader.replay(batch(0, topic(1)))
    loader.replay(batch(1, BEGIN, topic(2)))
    assert loader.in_transaction
    published = loader.publish()
    assert published is not None and published[1].offset == 0 and names(loader) == ["t1"]
    loader.replay(batch(3, topic(3)))
    assert loader.publish() is None
    loader.replay(batch(4, topic(4), END, topic(5)))
    published = loader.publish()
    assert published is not None and published[1].offset == 6 and names(loader) == ["t1", "t2", "t3", "t4", "t5"]


def test_an_aborted_transaction_leaves_nothing() -> None:
    loader = MetadataLoader()
    loader.replay(batch(0, BEGIN, topic(1), ABORT, topic(2)))
    assert loader.publish() is not None and names(loader) == ["t2"] and not loader.in_transaction


def test_nothing_shows_that_ends_in_the_middle_of_a_batch() -> None:
    loader = MetadataLoader()
    loader.replay(batch(0, topic(1), BEGIN))
    assert loader.publish() is None
    loader.replay(batch(2, ABORT))
    assert loader.publish() is not None and names(loader) == ["t1"]


def test_a_snapshot_replaces_everything() -> None:
    loader = MetadataLoader()
    loader.replay(batch(0, topic(1)))
    loader.publish()
    loader.load_snapshot([FeatureLevelRecord(name="metadata.version", feature_level=30), topic(2)], 99, 3, 7)
    published = loader.publish()
    assert published is not None and (published[1].offset, published[1].epoch, names(loader)) == (99, 3, ["t2"])


@pytest.mark.parametrize("records", [(BEGIN, BEGIN), (END,), (ABORT,), (topic(1), RemoveTopicRecord(topic_id=b"x" * 16))])
def test_what_cant_be_replayed_names_its_offset(records: tuple[Message, ...]) -> None:
    with pytest.raises(UnreplayableRecord, match=f"offset {10 + len(records) - 1} "):
        MetadataLoader().replay(batch(10, *records))


def test_unsupported_configs_are_skipped() -> None:
    loader = MetadataLoader(is_supported_config=lambda kind, name: name != "gone")
    loader.replay(batch(0, *(ConfigRecord(resource_type=4, resource_name="", name=name, value="1") for name in ("gone", "kept"))))
    loader.publish()
    assert loader.image.configs == {(4, ""): {"kept": "1"}}
