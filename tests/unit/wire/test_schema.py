"""Declarations as Python classes: constructors, defaults, comparison, repr."""

from __future__ import annotations

import pytest

from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.list_offsets import ListOffsetsRequest


def test_what_is_left_out_has_the_default() -> None:
    request = FetchRequest()
    assert request.replica_id == -1
    assert request.max_bytes == 2147483647
    assert request.cluster_id is None
    assert request.replica_state == FetchRequest.ReplicaState(replica_id=-1, replica_epoch=-1)
    assert request.unknown_tags == ()


def test_mutable_defaults_are_not_shared() -> None:
    one, other = FetchRequest(), FetchRequest()
    one.topics.append(FetchRequest.Topic())
    one.replica_state.replica_id = 7
    assert other.topics == []
    assert other.replica_state.replica_id == -1
    data = FetchResponse(responses=[FetchResponse.FetchableTopicResponse(partitions=[FetchResponse.FetchableTopicResponse.PartitionData()] * 2)])
    first, second = FetchResponse.decode(data.encode(12), 12).responses[0].partitions
    assert first.current_leader is not second.current_leader


def test_comparison_is_by_value_and_by_type() -> None:
    assert ListOffsetsRequest(replica_id=1) == ListOffsetsRequest(replica_id=1)
    assert ListOffsetsRequest(replica_id=1) != ListOffsetsRequest(replica_id=2)
    assert ListOffsetsRequest.Topic() != ListOffsetsRequest.Topic.Partition()
    with_tags = ListOffsetsRequest()
    with_tags.unknown_tags = ((9, b""),)  # type: ignore[misc]
    assert with_tags != ListOffsetsRequest()
    with pytest.raises(TypeError):
        hash(ListOffsetsRequest())


def test_replace() -> None:
    request = ListOffsetsRequest(replica_id=1, isolation_level=1)
    assert request.replace(replica_id=2) == ListOffsetsRequest(replica_id=2, isolation_level=1)
    assert request.replica_id == 1


def test_repr_names_the_fields() -> None:
    assert repr(ListOffsetsRequest.Topic(name="t")) == "ListOffsetsRequest.Topic(name='t', partitions=[])"


def test_unknown_names_are_refused() -> None:
    with pytest.raises(TypeError, match="nonsense"):
        ListOffsetsRequest(nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        ListOffsetsRequest().nonsense = 1  # type: ignore[attr-defined]
