"""meta.properties (D11-D17)."""

from __future__ import annotations

from pathlib import Path

import pytest

from barnabas.storage import meta_properties as meta
from barnabas.wire.types import uuid_from_text

ID = uuid_from_text("LKM9cLF6S9yanpdvX7XhBA")


def write(directory: Path, text: str) -> str:
    directory.mkdir(exist_ok=True)
    (directory / meta.FILE_NAME).write_text(text)
    return str(directory)


def test_apaches_file_is_read_and_ours_looks_alike(tmp_path: Path) -> None:
    path = write(tmp_path, "#\n#Sat Nov 21 01:32:24 UTC 2026\nnode.id=1\ndirectory.id=LKM9cLF6S9yanpdvX7XhBA\nversion=1\ncluster.id: abc\n")
    found = meta.read_meta_properties(path)
    assert found == meta.MetaProperties("abc", 1, ID, 1)
    meta.write_meta_properties(path, found)
    lines = (tmp_path / meta.FILE_NAME).read_text().splitlines()
    assert (lines[0], lines[1][0], lines[2:]) == ("#", "#", ["node.id=1", "directory.id=LKM9cLF6S9yanpdvX7XhBA", "version=1", "cluster.id=abc"])
    assert meta.read_meta_properties(path) == found


def test_version_0_may_lack_all(tmp_path: Path) -> None:
    assert meta.read_meta_properties(write(tmp_path, "")) == meta.MetaProperties(version=0)
    assert meta.read_meta_properties(write(tmp_path, "broker.id=3\n")).node_id == 3


@pytest.mark.parametrize(
    "text", ["version=2\n", "version=1\nnode.id=1\n", "version=1\ncluster.id=a\n", "version=1\ncluster.id=a\nnode.id=x\n", "directory.id=xx\n"]
)
def test_what_apache_refuses_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(meta.MetaPropertiesError, match=r"meta\.properties"):
        meta.read_meta_properties(write(tmp_path, text))


def test_directories_must_agree(tmp_path: Path) -> None:
    one = write(tmp_path / "a", "version=1\ncluster.id=x\nnode.id=1\ndirectory.id=LKM9cLF6S9yanpdvX7XhBA\n")
    for text, problem in (
        ("version=1\ncluster.id=y\nnode.id=1\n", "cluster"),
        ("version=1\ncluster.id=x\nnode.id=2\n", "node id"),
        ("version=1\ncluster.id=x\nnode.id=1\ndirectory.id=LKM9cLF6S9yanpdvX7XhBA\n", "Duplicate directory ID"),
        ("version=1\ncluster.id=x\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n", "reserved"),
    ):
        ensemble = meta.MetaPropertiesEnsemble.load([one, write(tmp_path / "b", text)])
        with pytest.raises(meta.MetaPropertiesError, match=problem):
            ensemble.verify()


def test_a_start_wants_every_directory_formatted_and_completes_ids(tmp_path: Path) -> None:
    one = write(tmp_path / "a", "version=1\ncluster.id=x\nnode.id=1\n")
    (tmp_path / "b").mkdir()
    with pytest.raises(meta.MetaPropertiesError, match="format"):
        meta.MetaPropertiesEnsemble.load([one, str(tmp_path / "b")]).verify_for_start(one, None, 1)
    ensemble = meta.MetaPropertiesEnsemble.load([one])
    ensemble.verify_for_start(one, "x", 1)
    assert ensemble.complete_directory_ids() == [one]
    assert meta.read_meta_properties(one).directory_id == ensemble.found[one].directory_id is not None


def test_reserved_ids_are_never_made() -> None:
    offers = iter([bytes(15) + b"\x01", b"\xf8" + bytes(15), ID, b"\x01" * 16])
    assert meta.new_directory_id([ID], random=lambda size: next(offers)) == b"\x01" * 16
