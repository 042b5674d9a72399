"""Bootstrap addresses."""

from __future__ import annotations

import pytest

from barnabas.client.cluster import parse_bootstrap
from barnabas.client.errors import InvalidBootstrap


def test_addresses() -> None:
    assert parse_bootstrap("a:1, b:2,") == [("a", 1), ("b", 2)]
    assert parse_bootstrap("[::1]:9092") == [("::1", 9092)]
    assert parse_bootstrap("PLAINTEXT://a:1") == [("a", 1)]


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:b", "a:0", "a:70000", ","])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(InvalidBootstrap):
        parse_bootstrap(text)
