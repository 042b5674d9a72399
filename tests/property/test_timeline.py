"""Timeline collections against a model that copies everything at each snapshot."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from barnabas.core.timeline import SnapshotRegistry, TimelineDict, TimelineSet, TimelineValue

KEYS = st.integers(0, 5)
VALUES = st.integers(0, 3)


class TimelineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.registry = SnapshotRegistry()
        self.dict: TimelineDict[int, int] = TimelineDict(self.registry)
        self.set: TimelineSet[int] = TimelineSet(self.registry)
        self.value: TimelineValue[int] = TimelineValue(self.registry, 0)
        self.nested: TimelineDict[int, TimelineDict[int, int]] = TimelineDict(self.registry)
        self.model: dict[str, Any] = {"dict": {}, "set": set(), "value": 0, "nested": {}}
        self.snapshots: dict[int, dict[str, Any]] = {}
        self.offset = 0

    def copy(self) -> dict[str, Any]:
        return {
            "dict": dict(self.model["dict"]),
            "set": set(self.model["set"]),
            "value": self.model["value"],
            "nested": {key: dict(inner) for key, inner in self.model["nested"].items()},
        }

    @rule(key=KEYS, value=VALUES)
    def put(self, key: int, value: int) -> None:
        self.dict[key] = value
        self.model["dict"][key] = value

    @rule(key=KEYS)
    def pop(self, key: int) -> None:
        assert self.dict.pop(key, None) == self.model["dict"].pop(key, None)

    @rule(key=KEYS)
    def add(self, key: int) -> None:
        self.set.add(key)
        self.model["set"].add(key)

    @rule(key=KEYS)
    def discard(self, key: int) -> None:
        self.set.discard(key)
        self.model["set"].discard(key)

    @rule(value=VALUES)
    def assign(self, value: int) -> None:
        self.value.value = value
        self.model["value"] = value

    @rule(outer=KEYS, inner=KEYS, value=VALUES)
    def put_nested(self, outer: int, inner: int, value: int) -> None:
        found = self.nested.get(outer)
        if found is None:
            found = self.nested[outer] = TimelineDict(self.registry)
        found[inner] = value
        self.model["nested"].setdefault(outer, {})[inner] = value

    @rule(outer=KEYS)
    def pop_nested(self, outer: int) -> None:
        self.nested.pop(outer, None)
        self.model["nested"].pop(outer, None)

    @rule(gap=st.integers(1, 3))
    def take(self, gap: int) -> None:
        self.offset += gap
        self.registry.take(self.offset)
        self.snapshots[self.offset] = self.copy()

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def revert(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.snapshots)))
        self.registry.revert_to(offset)
        self.model = self.snapshots[offset]
        self.snapshots = {at: state for at, state in self.snapshots.items() if at <= offset}
        self.snapshots[offset] = self.copy()
        self.offset = offset

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.snapshots)))
        self.registry.delete_up_to(offset)
        self.snapshots = {at: state for at, state in self.snapshots.items() if at >= offset}

    @rule()
    def clear(self) -> None:
        self.registry.clear()
        self.snapshots = {}

    @invariant()
    def the_present_is_right(self) -> None:
        assert self.dict.current == self.model["dict"]
        assert set(self.set) == self.model["set"]
        assert self.value.value == self.model["value"]
        assert {key: inner.current for key, inner in self.nested.current.items()} == self.model["nested"]

    @invariant()
    def every_snapshot_can_be_read(self) -> None:
        assert self.registry.offsets == sorted(self.snapshots)
        for offset, state in self.snapshots.items():
            assert self.dict.at(offset) == state["dict"]
            assert {key: self.dict.get_at(key, offset) for key in range(6)} == {key: state["dict"].get(key) for key in range(6)}
            assert self.set.at(offset) == state["set"]
            assert self.value.at(offset) == state["value"]
            assert {key: inner.at(offset) for key, inner in self.nested.at(offset).items()} == state["nested"]


TestTimeline = TimelineMachine.TestCase
