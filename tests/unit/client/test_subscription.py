"""Assignors: everything is given once, to someone who asked for it, evenly; the sticky ones hold on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.client.subscription import (
    ASSIGNORS,
    Subscription,
    assign,
    decode_assignment,
    decode_subscription,
    encode_assignment,
    encode_subscription,
)

TOPICS = ("a", "b", "c")
MEMBERS = st.dictionaries(
    st.sampled_from([f"m{i}" for i in range(6)]), st.sets(st.sampled_from(TOPICS)).map(lambda s: Subscription(tuple(sorted(s)))), min_size=1
)
COUNTS = st.dictionaries(st.sampled_from(TOPICS), st.integers(0, 9))


@pytest.mark.parametrize("name", sorted(ASSIGNORS))
@given(members=MEMBERS, counts=COUNTS)
def test_every_partition_once_to_a_subscriber(name: str, members: dict[str, Subscription], counts: dict[str, int]) -> None:
    assigned = assign(name, members, counts)
    given_out = [part for parts in assigned.values() for part in parts]
    wanted = {topic for subscription in members.values() for topic in subscription.topics}
    assert sorted(given_out) == sorted((topic, index) for topic, count in counts.items() if topic in wanted for index in range(count))
    for member, parts in assigned.items():
        assert {topic for topic, _ in parts} <= set(members[member].topics)


@given(size=st.integers(1, 6), counts=COUNTS)
def test_sticky_is_even_and_stays(size: int, counts: dict[str, int]) -> None:
    members = {f"m{i}": Subscription(TOPICS) for i in range(size)}
    first = assign("sticky", members, counts)
    assert max(map(len, first.values())) - min(map(len, first.values())) <= 1
    held = {member: Subscription(TOPICS, tuple(parts), 1) for member, parts in first.items()}
    again = assign("sticky", held, counts)
    assert {member: sorted(parts) for member, parts in again.items()} == {member: sorted(parts) for member, parts in first.items()}


def test_cooperative_takes_before_it_gives() -> None:
    held = {"m0": Subscription(("a",), tuple(("a", i) for i in range(4)), 1), "m1": Subscription(("a",))}
    first = assign("cooperative-sticky", held, {"a": 4})
    assert (len(first["m0"]), first["m1"]) == (2, [])
    held["m0"] = Subscription(("a",), tuple(first["m0"]), 2)
    second = assign("cooperative-sticky", held, {"a": 4})
    assert sorted(second["m0"]) == sorted(first["m0"])
    assert len(second["m1"]) == 2


def test_the_later_generation_keeps_what_two_members_claim() -> None:
    part = (("a", 0),)
    assigned = assign("sticky", {"m0": Subscription(("a",), part, 5), "m1": Subscription(("a",), part, 4)}, {"a": 1})
    assert assigned == {"m0": [("a", 0)], "m1": []}


def test_range_and_roundrobin() -> None:
    members = {"m0": Subscription(("a", "b")), "m1": Subscription(("a", "b"))}
    assert assign("range", members, {"a": 3, "b": 1}) == {"m0": [("a", 0), ("a", 1), ("b", 0)], "m1": [("a", 2)]}
    assert assign("roundrobin", members, {"a": 3, "b": 1}) == {"m0": [("a", 0), ("a", 2)], "m1": [("a", 1), ("b", 0)]}


def test_bytes() -> None:
    subscription = Subscription(("a", "b"), (("a", 0), ("a", 2)), 7)
    assert decode_subscription(encode_subscription(subscription)) == subscription
    assert decode_assignment(encode_assignment([("a", 0), ("b", 1)])) == [("a", 0), ("b", 1)]
    assert decode_assignment(b"") == []
