"""Every declaration in wire, field by field, beside the definitions inside the release's jars; error codes and the API table beside its enums."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from barnabas.wire.apis import APIS, BROKER, CONTROLLER
from barnabas.wire.error_messages import MESSAGES as ERROR_TEXTS
from barnabas.wire.errors import Error
from barnabas.wire.schema import FRESH, NEVER, Field, Message, Struct, struct_of
from tests.apache import release
from tests.messages import all_messages

if TYPE_CHECKING:
    from pathlib import Path

Definition = dict[str, Any]
MESSAGES = all_messages()
TYPES = {
    "int8": "Int8", "int16": "Int16", "uint16": "Uint16", "int32": "Int32", "uint32": "Uint32", "int64": "Int64", "float64": "Float64",
    "bool": "Bool", "string": "String", "bytes": "Bytes", "records": "Records", "uuid": "Uuid",
}  # fmt: skip
DEFAULTS = {"bool": False, "string": "", "bytes": b"", "records": b"", "uuid": bytes(16), "float64": 0.0}
# What a definition may say that the bytes don't depend on: documentation, checks of the release's own build, Java collections and buffers.
WITHOUT_MEANING = {"about", "entityType", "mapKey", "zeroCopy"}


@pytest.fixture(scope="module")
def definitions(apache_libs: Path) -> dict[str, Definition]:
    """Name -> definition of every message in the release that has a version."""
    found = {}
    for jar in sorted(apache_libs.glob("kafka-*.jar")):
        with ZipFile(jar) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"(common/)?(message|metadata)/\w+\.json", name):
                    definition = json.loads(re.sub(rb"^\s*//.*$", b"", archive.read(name), flags=re.M))
                    if definition["validVersions"] != "none":
                        found[definition["name"]] = definition
    return found


def bounds(text: str | None) -> tuple[int, int]:
    """First and last version of "3-7", "3+", "3" or "none" (an empty range)."""
    if text is None or text == "none":
        return NEVER, -1
    if text.endswith("+"):
        return int(text[:-1]), NEVER
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def holds(text: str | None, version: int) -> bool:
    first, last = bounds(text)
    return first <= version <= last


def snake_case(name: str) -> str:
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


class Comparison:
    """One message beside its definition; `complaints` is empty when they say the same in every version."""

    def __init__(self, cls: type[Message], definition: Definition) -> None:
        self.complaints: list[str] = []
        self.shared = {each["name"]: each["fields"] for each in definition.get("commonStructs", ())}
        self.versions = range(bounds(definition["validVersions"])[0], bounds(definition["validVersions"])[1] + 1)
        self.flexible = definition["flexibleVersions"]
        self.same("valid versions", cls.valid_versions, (self.versions[0], self.versions[-1]))
        self.same("key", cls.api_key, definition.get("apiKey", -1))
        self.same("unstable", cls.unstable, definition.get("latestVersionUnstable", False))
        for version in self.versions:
            self.same(f"flexible {version}", cls.is_flexible(version), holds(self.flexible, version))
        self.fields(cls, definition["fields"], cls.__name__)

    def same(self, what: str, ours: object, theirs: object) -> None:
        if ours != theirs or type(ours) is not type(theirs):
            self.complaints.append(f"{what}: {ours!r}, in the release {theirs!r}")

    def fields(self, owner: type[Struct], given: list[Definition], where: str) -> None:
        expected = [each for each in given if any(holds(self.presence(each), version) for version in self.versions)]
        self.same(f"{where}: fields", [field.name for field in owner.fields], [snake_case(each["name"]) for each in expected])
        for field, each in zip(owner.fields, expected, strict=False):
            self.field(owner, field, each, f"{where}.{field.name}")

    def presence(self, given: Definition) -> str:
        return str(given.get("versions") or given.get("taggedVersions") or "0+")

    def field(self, owner: type[Struct], field: Field, given: Definition, where: str) -> None:
        known = {"name", "type", "versions", "fields", "tag", "taggedVersions", "nullableVersions", "default", "ignorable", "flexibleVersions"}
        self.same(f"{where}: keys of the definition", set(given) - known - WITHOUT_MEANING, set())
        for version in self.versions:
            present = holds(self.presence(given), version)
            self.same(f"{where}: in version {version}", field.first <= version <= field.last, present)
            if not present:
                continue
            tagged = holds(given.get("taggedVersions"), version)
            self.same(f"{where}: tag in version {version}", field.tag, given["tag"] if tagged else None)
            self.same(f"{where}: nullable in version {version}", field.nullable <= version, holds(given.get("nullableVersions"), version))
            if holds(self.flexible, version):
                self.same(f"{where}: plain in version {version}", not field.plain, holds(given.get("flexibleVersions", self.flexible), version))
        self.same(f"{where}: ignorable", field.ignorable, given.get("ignorable") in (True, "true"))
        type_name = given["type"]
        self.same(f"{where}: is an array", field.is_array, type_name.startswith("[]"))
        element = type_name.removeprefix("[]")
        inner = struct_of(owner, field)
        if inner is None:
            self.same(f"{where}: type", field.type_name, TYPES.get(element, element))
        else:
            self.same(f"{where}: type", element in TYPES, False)
            self.fields(inner, given.get("fields") or self.shared[element], where)
        self.default(field, given, element, where)

    def default(self, field: Field, given: Definition, element: str, where: str) -> None:
        text = given.get("default")
        expected: object
        if field.is_array:
            expected = None if text == "null" else []
        elif text == "null":
            expected = None
        elif element not in TYPES:
            expected = None if field.nullable == NEVER else FRESH  # a struct that can't be null needs no default
        elif element in ("bool", "string"):
            expected = (text in (True, "true")) if element == "bool" else text or ""
        elif element in DEFAULTS:
            assert text in (None, "", "0", "0.0"), f"{where}: teach this test the default {text!r} of {element}"
            expected = DEFAULTS[element]
        else:
            expected = int(str(text or 0), 0)
        self.same(f"{where}: default", field.default, expected)


def test_no_message_is_missing(definitions: dict[str, Definition]) -> None:
    assert len(definitions) > 250
    assert set(MESSAGES) == set(definitions)


def test_every_declaration_says_what_the_release_says(definitions: dict[str, Definition]) -> None:
    complaints = [complaint for name, cls in MESSAGES.items() if name in definitions for complaint in Comparison(cls, definitions[name]).complaints]
    assert not complaints, "\n".join(complaints)


def test_record_tables(definitions: dict[str, Definition]) -> None:
    from barnabas.wire.logs import cluster_metadata, group_coordinator

    def of(kind: str, package: str) -> dict[int, str]:
        return {
            each["apiKey"]: name
            for name, each in definitions.items()
            if each["type"] == kind and MESSAGES[name].__module__.endswith(package)
        }  # fmt: skip

    assert {key: cls.__name__ for key, cls in cluster_metadata.RECORDS.items()} == of("metadata", "cluster_metadata")
    assert {key: cls.__name__ for key, cls in group_coordinator.KEYS.items()} == of("coordinator-key", "group_coordinator")
    assert {key: cls.__name__ for key, cls in group_coordinator.VALUES.items()} == of("coordinator-value", "group_coordinator")


@pytest.fixture(scope="module")
def protocol(apache_libs: Path) -> list[list[str]]:
    program = release.HERE / "java" / "DescribeProtocol.java"
    done = subprocess.run(release.java_command(str(program)), capture_output=True, text=True, timeout=120, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.apache
def test_error_codes(protocol: list[list[str]]) -> None:
    theirs = {(name, int(code), retriable == "true", text) for kind, name, code, retriable, text, *_ in protocol if kind == "error"}
    assert {(error.name, error.value, error.retriable, ERROR_TEXTS[error]) for error in Error} == theirs


@pytest.mark.apache
def test_api_table(protocol: list[list[str]]) -> None:
    theirs = {}
    for kind, name, key, first, last, listeners, headers in (line for line in protocol if line[0] == "api"):
        assert kind == "api"
        theirs[int(key)] = (name, int(first), int(last), listeners, headers)
    ours = {}
    for id_, api in APIS.items():
        assert id_ == api.key == api.request().api_key == api.response().api_key
        listeners = ",".join(name for name, flag in (("BROKER", BROKER), ("CONTROLLER", CONTROLLER)) if api.listeners & flag)
        versions = range(api.first, api.request().valid_versions[1] + 1)
        headers = ",".join(f"{v}:{api.request_header_version(v)}:{api.response_header_version(v)}" for v in versions)
        ours[id_] = (api.name, api.first, api.last, listeners, headers)
    assert ours == theirs
