"""kafka-storage beside Apache's StorageTool: the same words, exit codes, files and records (D17-D19, D42)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.cli.kafka.storage import run
from barnabas.storage.meta_properties import read_meta_properties
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.record import decode_records
from tests.differential.tools import words_of_apache

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.apache

CLUSTER = "4L6g3nShT-eMCtK--X86sw"
CONTROLLERS = "1@127.0.0.1:9093:JEXY6aqzQY-32P5TStzaFg,2@[::1]:9094:MvDxzVmcRsaTz33bUuRU6A"
UUID = re.compile(r"(?<![\w-])[\w-]{22}(?![\w-])")


class Outcome:
    def __init__(self, status: int, output: Sequence[str], errors: Sequence[str]) -> None:
        self.status, self.output, self.errors = status, list(output), list(errors)


def apache(arguments: Sequence[str]) -> Outcome:
    status, output, errors = words_of_apache("kafka-storage", *arguments)
    return Outcome(status, output.splitlines(), errors.splitlines())


def ours(arguments: Sequence[str]) -> Outcome:
    output: list[str] = []
    errors: list[str] = []
    status = run(arguments, output.append, errors.append)
    return Outcome(status, "".join(f"{line}\n" for line in output).splitlines(), "".join(f"{line}\n" for line in errors).splitlines())


def properties(folder: Path, **changes: str | None) -> str:
    """A combined node's file; a key's dots are underscores here, two underscores stay one path: None removes."""
    settings: dict[str, str | None] = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": "127.0.0.1:9093",
        "log.dirs": f"{folder}/one, {folder}/two",
    }
    settings |= {key.replace("_", "."): value and value.replace("FOLDER", str(folder)) for key, value in changes.items()}
    folder.mkdir(exist_ok=True)
    path = folder / "server.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items() if value is not None))
    return str(path)


def content(path: Path) -> list[tuple[object, ...]]:
    """A file of batches without its times: frame and records."""
    data = path.read_bytes()
    found: list[tuple[object, ...]] = []
    for position, header in iterate_headers(data):
        found.append((header.base_offset, header.leader_epoch, header.attributes, header.last_offset_delta, header.producer_id, header.count))
        for record in decode_records(data[position : position + header.size]):
            value = record.value or b""
            found.append((record.offset, record.key, value[:4] if record.key == b"\0\0\0\x03" else value))
    return found


def normalised(lines: Sequence[str], folder: Path) -> list[str]:
    """The directories come in the order of Java's hashes there."""
    return sorted(line.replace(str(folder), "FOLDER") for line in lines)


def files(folder: Path) -> list[tuple[str, int]]:
    return sorted(
        (str(path.relative_to(folder)), path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file() and path.suffix != ".properties"
    )


FORMATS: dict[str, tuple[list[str], dict[str, str | None]]] = {
    "standalone": (["--standalone"], {}),
    "static": ([], {"controller_quorum_voters": "1@127.0.0.1:9093", "controller_quorum_bootstrap_servers": None}),
    "initial controllers": (["-I", CONTROLLERS], {}),
    "stranger": (["--initial-controllers", CONTROLLERS], {"node_id": "3", "metadata_log_dir": "FOLDER/meta"}),
    "none": (["-N"], {}),
    "broker": ([], {"process_roles": "broker", "listeners": "PLAINTEXT://127.0.0.1:9092"}),
    "old release": (["-s", "--release-version", "3.7"], {}),
    "features": (["-s", "-f", "group.version=0", "--feature", "share.version=1", "-f=kraft.version=1"], {}),
    "wildcard": (["-s"], {"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "advertised_listeners": "PLAINTEXT://localhost:9092"}),
    "scram": (
        [
            "-s",
            "-S",
            "SCRAM-SHA-256=[name=alice,password=secret,salt=N3E]",
            "-S",
            'SCRAM-SHA-512=[name=bob,salt="MWx2",iterations=8192,saltedpassword="YWJj"]',
        ],
        {},
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formatting_leaves_the_same_directories(name: str, tmp_path: Path, apache_libs: Path) -> None:
    arguments, changes = FORMATS[name]
    results = []
    for folder, tool in ((tmp_path / "apache", apache), (tmp_path / "ours", ours)):
        outcome = tool(["format", "-t", CLUSTER, "-c", properties(folder, **changes), *arguments])
        assert outcome.status == 0, outcome.errors
        metas = {path.parent.name: read_meta_properties(str(path.parent)) for path in folder.rglob("meta.properties")}
        contents = {str(path.relative_to(folder)): content(path) for path in folder.rglob("*.checkpoint")}
        results.append((outcome, folder, metas, contents))
    (apache_outcome, apache_folder, apache_metas, apache_contents), (our_outcome, our_folder, our_metas, our_contents) = results
    assert normalised(our_outcome.output, our_folder) == normalised(apache_outcome.output, apache_folder)
    assert files(our_folder) == files(apache_folder)
    voter = name in ("initial controllers",)
    for directory, meta in apache_metas.items():
        same = our_metas[directory] if voter and directory == "one" else our_metas[directory]._replace(directory_id=meta.directory_id)
        assert same == meta
    for path, expected in apache_contents.items():
        if name in ("standalone", "old release", "features", "scram", "wildcard") and "cluster_metadata" in path:
            # The standalone voter's directory id is random: it must be the one in meta.properties.
            for contents, metas in ((expected, apache_metas), (our_contents[path], our_metas)):
                directory_id = metas["one"].directory_id
                assert directory_id is not None
                contents[:] = [
                    (entry[0], entry[1], entry[2].replace(directory_id, b"ID")) if isinstance(entry[2], bytes) else entry for entry in contents
                ]
        assert our_contents[path] == expected, path


def test_a_formatted_directory_is_left_alone_or_refused(tmp_path: Path, apache_libs: Path) -> None:
    path = properties(tmp_path / "x")
    assert ours(["format", "-t", CLUSTER, "-c", path, "-s"]).status == 0
    (tmp_path / "x/broken").mkdir()
    for arguments in (
        ["format", "-t", CLUSTER, "-c", path, "-s"],
        ["format", "-t", CLUSTER, "-c", path, "-gs"],
        ["format", "-t", "another", "-c", path, "-s", "-g"],
        ["info", "-c", path],
        ["info", "-c", properties(tmp_path / "y", log_dirs=f"{tmp_path}/x/one,{tmp_path}/absent,{tmp_path}/x/broken,{path}")],
    ):
        check_same_words(arguments)


def check_same_words(arguments: Sequence[str]) -> None:
    """Equal output and status. Where Apache's ends in a stack trace, ours is its message."""
    there, here = apache(arguments), ours(arguments)
    assert here.status == there.status, (here.errors, there.errors)
    if there.errors and there.errors[0].startswith("Exception in thread"):
        assert here.errors, there.errors[0]
        assert there.errors[0].partition(": ")[2] in "\n".join(here.errors), there.errors[0]
        return
    assert here.output == there.output
    # Which of several formatted directories is named first depends on Java's hashes.
    assert [line.replace("/two is already", "/one is already") for line in here.errors] == [
        line.replace("/two is already", "/one is already") for line in there.errors
    ]


ERRORS: list[list[str]] = [
    [],
    ["bogus"],
    ["--version"],
    ["format"],
    ["format", "-t"],
    ["format", "-t", "x"],
    ["format", "x", "-t", "a"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-N"],
    ["format", "-t", "x", "-c", "CONFIG", "--ignore-formatted=1"],
    ["format", "-t", "x", "-c", "CONFIG", "--stand", "-z"],
    ["format", "-t", "x", "-c", "CONFIG"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-r", "2.0"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-r", "4.2", "-f", "metadata.version=29"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-f", "metadata.version=31"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-f", "a.version=1"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-f", "group.version=9"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-f", "kraft.version=0"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-r", "3.9", "-f", "eligible.leader.replicas.version=1"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-f", "a"],
    ["format", "-t", "x", "-c", "CONFIG", "-I", "1"],
    ["format", "-t", "x", "-c", "CONFIG", "-I", "1@a:9093:x"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-r", "3.4", "-S", "SCRAM-SHA-256=[name=a,password=b]"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-S", "SCRAM-SHA-1=[name=a,password=b]"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-S", "SCRAM-SHA-256=[name=a,iterations=4,password=b]"],
    ["format", "-t", "x", "-c", "CONFIG", "-s", "-S", "SCRAM-SHA-256=[name=a,password=b,x=y]"],
    ["format", "-t", "x", "-c", "/absent.properties", "-s"],
    ["info"],
    ["info", "-c", "CONFIG"],
    ["feature-dependencies"],
    ["feature-dependencies", "-f", "x=1"],
    ["feature-dependencies", "-f", "group.version"],
    ["feature-dependencies", "-f", "share.version=9"],
    ["feature-dependencies", "-f", "metadata.version=99"],
    ["feature-dependencies", "-f", "metadata.version=30", "-f", "eligible.leader.replicas.version=1", "-f", "transaction.version=2"],
    ["version-mapping"],
    ["version-mapping", "-r", "3.5-IV2"],
    ["version-mapping", "-r", "3.9.1"],
    ["version-mapping", "-r", "4.4-IV0"],
    ["version-mapping", "-r", "2.0"],
    ["random-uuid", "x"],
]


@pytest.mark.parametrize("arguments", ERRORS, ids=lambda arguments: " ".join(arguments) or "nothing")
def test_the_same_words(arguments: list[str], tmp_path: Path, apache_libs: Path) -> None:
    path = properties(tmp_path / "x")
    check_same_words([path if word == "CONFIG" else word for word in arguments])


@pytest.mark.parametrize("command", [[], ["info"], ["format"], ["version-mapping"], ["feature-dependencies"], ["random-uuid"]], ids=str)
def test_help_has_the_same_usage_and_flags(command: list[str], apache_libs: Path) -> None:
    there, here = apache([*command, "-h"]), ours([*command, "-h"])
    assert here.status == there.status == 0
    until = there.output.index("")
    assert here.output[:until] == there.output[:until]
    flag = re.compile(r"^  (?:--?|  )[\w-]+(?: [A-Z_]+)?(?:, -\w(?: [A-Z_]+)?)?")
    assert [found.group() for line in here.output if (found := flag.match(line))] == [
        found.group() for line in there.output if (found := flag.match(line))
    ]


def test_a_random_uuid_looks_alike(apache_libs: Path) -> None:
    assert all(UUID.fullmatch(tool(["random-uuid"]).output[0]) for tool in (apache, ours))
