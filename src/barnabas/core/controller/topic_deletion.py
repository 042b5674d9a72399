"""Which topics a DeleteTopics request means, and what to answer for those that it can't have.

Source: Apache's `ControllerApis.deleteTopics`: names and ids are resolved, doubles refused, and nothing hidden is confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.error_messages import MESSAGES
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from collections.abc import Container

    from barnabas.core.controller.controller import Controller


class Deletion:
    """`topic_ids` are to be removed; `answer` has an entry for them and for everything refused."""

    def __init__(self, controller: Controller, request: DeleteTopicsRequest, describable: Container[str], deletable: Container[str]) -> None:
        self._topics = controller.topics
        self._describable = describable
        self._deletable = deletable
        self.answer = DeleteTopicsResponse(responses=[])
        self._names: dict[str, int] = {}
        self._ids: dict[bytes, int] = {}
        self._read(request)
        self._found: dict[bytes, str] = {}
        self._resolve_ids()
        self._resolve_names()
        self.topic_ids = list(self._found)
        for topic_id, name in self._found.items():
            self._add(name, topic_id, Error.NONE)

    def _read(self, request: DeleteTopicsRequest) -> None:
        for name in request.topic_names:
            self._names[name] = self._names.get(name, 0) + 1
        for topic in request.topics:
            if topic.name is None and topic.topic_id == ZERO_UUID:
                self._add(None, ZERO_UUID, Error.INVALID_REQUEST, "Neither topic name nor id were specified.")
            elif topic.name is None:
                self._ids[topic.topic_id] = self._ids.get(topic.topic_id, 0) + 1
            elif topic.topic_id == ZERO_UUID:
                self._names[topic.name] = self._names.get(topic.name, 0) + 1
            else:
                self._add(topic.name, topic.topic_id, Error.INVALID_REQUEST, "You may not specify both topic name and topic id.")
        for name, count in self._names.items():
            if count > 1:
                self._add(name, ZERO_UUID, Error.INVALID_REQUEST, "Duplicate topic name.")
        for topic_id, count in self._ids.items():
            if count > 1:
                self._add(None, topic_id, Error.INVALID_REQUEST, "Duplicate topic id.")

    def _resolve_ids(self) -> None:
        for topic_id, count in self._ids.items():
            if count > 1:
                continue
            topic = self._topics.by_id.get(topic_id)
            if topic is None:
                self._add(None, topic_id, Error.UNKNOWN_TOPIC_ID, MESSAGES[Error.UNKNOWN_TOPIC_ID])
            elif topic.name not in self._deletable:
                shown = topic.name if topic.name in self._describable else None
                self._add(shown, topic_id, Error.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.")
            else:
                self._found[topic_id] = topic.name

    def _resolve_names(self) -> None:
        for name, count in self._names.items():
            if count > 1:
                continue
            topic = self._topics.find(name)
            if name not in self._describable:
                self._add(name, ZERO_UUID, Error.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.")
            elif topic is None:
                self._add(name, ZERO_UUID, Error.UNKNOWN_TOPIC_OR_PARTITION, MESSAGES[Error.UNKNOWN_TOPIC_OR_PARTITION])
            elif name not in self._deletable:
                self._add(name, ZERO_UUID, Error.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.")
            elif topic.id in self._ids:
                self._found.pop(topic.id, None)
                self._add(name, topic.id, Error.INVALID_REQUEST, "The provided topic name maps to an ID that was already supplied.")
            else:
                self._found[topic.id] = name

    def _add(self, name: str | None, topic_id: bytes, error: Error, message: str | None = None) -> None:
        self.answer.responses.append(DeleteTopicsResponse.DeletableTopicResult(name=name, topic_id=topic_id, error_code=error, error_message=message))
