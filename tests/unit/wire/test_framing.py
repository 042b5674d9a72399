"""Headers and frames (W8), beside the declared headers."""

from __future__ import annotations

import pytest

from barnabas.wire.apis import API_VERSIONS, APIS, FETCH, PRODUCE
from barnabas.wire.framing import RequestHeader, encode_request, encode_response, read_request_header, read_response_header
from barnabas.wire.messages import header as declared
from barnabas.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from barnabas.wire.messages.metadata import MetadataRequest, MetadataResponse
from barnabas.wire.types import DecodeError, EncodeError

METADATA = APIS[3]


@pytest.mark.parametrize("client_id", [None, "", "größer", "x" * 300])
@pytest.mark.parametrize("version", [8, 9])
def test_a_request_there_and_back(client_id: str | None, version: int) -> None:
    frame = encode_request(METADATA, version, 77, client_id, MetadataRequest(topics=[]))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    header = read_request_header(memoryview(frame)[4:], version >= 9)
    assert header == RequestHeader(3, version, 77, client_id, header.body)
    assert MetadataRequest.decode_from(frame, version, 4 + header.body) == (MetadataRequest(topics=[]), len(frame))
    values = {"request_api_key": 3, "request_api_version": version, "correlation_id": 77, "client_id": client_id}
    assert declared.RequestHeader(**values).encode(METADATA.request_header_version(version)) == frame[4 : 4 + header.body]


def test_unknown_tags_of_a_header_are_skipped() -> None:
    header = declared.RequestHeader(request_api_key=3, request_api_version=9, correlation_id=1, client_id="c")
    header.unknown_tags = ((0, b"abc"), (300, b"x" * 200))  # type: ignore[misc]
    data = header.encode(2)
    assert read_request_header(data + b"body", True) == RequestHeader(3, 9, 1, "c", len(data))


def test_a_client_id_that_is_too_long() -> None:
    with pytest.raises(EncodeError, match="client id has 32768 bytes"):
        encode_request(METADATA, 9, 1, "c" * 32768, MetadataRequest())


def test_a_negative_client_id_length_is_null() -> None:
    assert read_request_header(bytes.fromhex("0003 0000 00000001 8000"), False).client_id is None


@pytest.mark.parametrize("flexible", [False, True])
def test_a_header_cut_anywhere(flexible: bool) -> None:
    header = declared.RequestHeader(request_api_key=3, request_api_version=9, correlation_id=1, client_id="client")
    header.unknown_tags = ((7, b"abc"),) if flexible else ()  # type: ignore[misc]
    data = header.encode(2 if flexible else 1)
    for cut in range(len(data)):
        with pytest.raises(DecodeError):
            read_request_header(data[:cut], flexible)


@pytest.mark.parametrize("data", ["7fff", "0000ffffffff07", "000100ffffffff07", "000180808080808001"])
def test_a_header_with_hostile_lengths(data: str) -> None:
    with pytest.raises(DecodeError):
        read_request_header(bytes.fromhex("0003 0009 00000001" + data), True)


@pytest.mark.parametrize(("version", "start"), [(8, "0000004d"), (9, "0000004d00")])
def test_a_response_there_and_back(version: int, start: str) -> None:
    response = MetadataResponse(controller_id=5)
    frame = encode_response(METADATA, version, 77, response)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert frame[4:].hex().startswith(start)
    correlation_id, body = read_response_header(frame[4:], METADATA, version)
    assert (correlation_id, MetadataResponse.decode(frame[4 + body :], version)) == (77, response)


def test_api_versions_answers_without_tags_in_its_header() -> None:
    api = APIS[API_VERSIONS]
    frame = encode_response(api, 3, 1, ApiVersionsResponse())
    assert read_response_header(frame[4:], api, 3) == (1, 4)
    assert read_request_header(encode_request(api, 3, 1, None, ApiVersionsRequest())[4:], True).body == 11


@pytest.mark.parametrize("data", ["", "000000", "00000001", "0000000101", "00000001010005"])
def test_a_response_header_cut_short(data: str) -> None:
    with pytest.raises(DecodeError):
        read_response_header(bytes.fromhex(data), METADATA, 9)


def test_the_table() -> None:
    assert APIS[PRODUCE].name == "Produce"
    assert APIS[FETCH].request().__name__ == "FetchRequest"
    assert [key for key, api in APIS.items() if key != api.key] == []
