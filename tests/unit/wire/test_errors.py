"""Error codes as Python values. That they are Kafka's own is tested beside the release."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from barnabas.wire.errors import Error


def test_a_code_is_a_number_with_a_name() -> None:
    error = Error(3)
    assert error is Error.UNKNOWN_TOPIC_OR_PARTITION
    assert error == 3
    assert isinstance(error, int)
    assert (error.name, error.value, int(error)) == ("UNKNOWN_TOPIC_OR_PARTITION", 3, 3)
    assert f"{error:d}" == "3"
    assert Error["NONE"] is Error.NONE
    assert not Error.NONE
    assert hash(error) == hash(3)
    assert Error(error) is error


def test_as_text_and_copied() -> None:
    assert repr(Error.INVALID_CONFIG) == "<Error.INVALID_CONFIG: 40>"
    assert f"{Error.INVALID_CONFIG} {Error.INVALID_CONFIG!s}" == "40 40"
    assert copy.deepcopy(Error.INVALID_CONFIG) is Error.INVALID_CONFIG
    assert pickle.loads(pickle.dumps(Error.INVALID_CONFIG)) is Error.INVALID_CONFIG
    assert json.dumps([Error.INVALID_CONFIG]) == "[40]"


def test_what_is_no_code() -> None:
    with pytest.raises(ValueError, match="9999"):
        Error(9999)


def test_all_codes() -> None:
    assert len(list(Error)) == 135
    assert [error.value for error in Error] == list(range(-1, 134))


def test_retriable() -> None:
    assert Error.NOT_LEADER_OR_FOLLOWER.retriable
    assert not Error.TOPIC_AUTHORIZATION_FAILED.retriable
