"""The hand-written Fetch response is the compiled codec's, byte by byte, in every version."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barnabas.wire.apis import APIS, FETCH
from barnabas.wire.fetch_path import PartitionData, encode_fetch_response
from barnabas.wire.framing import encode_response
from barnabas.wire.messages.fetch import FetchResponse

INT64 = st.integers(-1, 2**63 - 1)
Topic = FetchResponse.FetchableTopicResponse
Row = Topic.PartitionData
pairs = st.tuples(st.integers(0, 2**31 - 1), INT64)
partitions = st.builds(
    lambda index, error, hw, lso, start, aborted, records, diverging, leader, preferred: (
        PartitionData(index, error, hw, lso, start, aborted, records, 0, len(records), diverging, leader, preferred),
        Row(
            partition_index=index,
            error_code=error,
            high_watermark=hw,
            last_stable_offset=lso,
            log_start_offset=start,
            aborted_transactions=None if aborted is None else [Row.AbortedTransaction(producer_id=p, first_offset=o) for p, o in aborted],
            records=records,
            diverging_epoch=Row.EpochEndOffset(epoch=diverging[0], end_offset=diverging[1]) if diverging else Row.EpochEndOffset(),
            current_leader=Row.LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1]) if leader else Row.LeaderIdAndEpoch(),
            preferred_read_replica=preferred,
        ),
    ),
    st.integers(0, 2**31 - 1),
    st.integers(0, 100),
    INT64,
    INT64,
    INT64,
    st.none() | st.lists(st.tuples(INT64, INT64), max_size=130),
    st.binary(max_size=300),
    st.none() | pairs,
    st.none() | st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)),
    st.integers(-1, 2**31 - 1),
)
nodes = st.tuples(st.integers(0, 2**31 - 1), st.text(max_size=200), st.integers(0, 65535), st.none() | st.text(max_size=20))


@given(st.integers(4, 18), st.integers(-1, 100), st.lists(st.lists(partitions, max_size=3), max_size=3), st.lists(nodes, max_size=2))
def test_equals_the_compiled_codec(
    version: int, session: int, topics: list[list[tuple[PartitionData, Row]]], endpoints: list[tuple[int, str, int, str | None]]
) -> None:
    endpoints = endpoints if version >= 16 else []
    keys = [bytes([number]) * 16 if version >= 13 else f"topic-{number}" for number in range(len(topics))]
    rows = [[row for _, row in topic] for topic in topics]
    if version < 12:  # tagged fields don't exist yet
        rows = [[row.replace(diverging_epoch=Row.EpochEndOffset(), current_leader=Row.LeaderIdAndEpoch()) for row in topic] for topic in rows]
    if version < 11:
        rows = [[row.replace(preferred_read_replica=-1) for row in topic] for topic in rows]
    expected = FetchResponse(
        session_id=session if version >= 7 else 0,
        responses=[
            Topic(topic=key if isinstance(key, str) else "", topic_id=key if isinstance(key, bytes) else bytes(16), partitions=topic)
            for key, topic in zip(keys, rows, strict=True)
        ],
        node_endpoints=[FetchResponse.NodeEndpoint(node_id=node, host=host, port=port, rack=rack) for node, host, port, rack in endpoints],
    )
    data = [(key, [data for data, _ in topic]) for key, topic in zip(keys, topics, strict=True)]
    pieces = encode_fetch_response(version, 7, 0, session, data, endpoints)
    sent = b"".join(piece if isinstance(piece, bytes) else piece[0] for piece in pieces)
    assert sent == encode_response(APIS[FETCH], version, 7, expected)
