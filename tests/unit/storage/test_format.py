"""Formatting without the tool (D17-D19, D42); beside Apache's it is tests/differential/test_format.py."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from barnabas.storage.bootstrap_checkpoint import read_bootstrap_checkpoint
from barnabas.storage.format import FormatError, FormatOrder, InitialController, format_directories, parse_initial_controllers
from barnabas.storage.meta_properties import read_meta_properties
from barnabas.storage.metadata_snapshot import BOOTSTRAP, SnapshotReader
from barnabas.storage.scram_arguments import parse_scram_argument


def order(*directories: Path, **changes: object) -> FormatOrder:
    paths = [str(directory) for directory in directories]
    made = FormatOrder(1, "c", paths, paths[0], "CONTROLLER", dynamic_quorum=True, controllers=[InitialController(1, "localhost", 9093, b"d" * 16)])
    return made._replace(**changes)  # type: ignore[arg-type]


def test_every_directory_gets_its_own_id_and_the_metadata_one_the_voters(tmp_path: Path) -> None:
    said: list[str] = []
    one, two = tmp_path / "one", tmp_path / "two"
    format_directories(order(one, two), 5, said.append)
    assert read_meta_properties(str(one))[:3] == ("c", 1, b"d" * 16)
    assert read_meta_properties(str(two)).directory_id not in (None, b"d" * 16)
    assert len(read_bootstrap_checkpoint(str(one)) or ()) == len(read_bootstrap_checkpoint(str(two)) or ()) == 6
    reader = SnapshotReader(str(one / "__cluster_metadata-0" / BOOTSTRAP.file_name))
    assert ([kind for kind, _ in reader.control_records], list(reader.values())) == ([5, 6], [])
    assert len(said) == 3 and not (two / "__cluster_metadata-0").exists()


def test_formatted_directories_are_kept(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    format_directories(order(one), 5, str)
    before = read_meta_properties(str(one))
    with pytest.raises(FormatError, match="ignore-formatted"):
        format_directories(order(one, two), 5, str)
    format_directories(order(one, two, ignore_formatted=True), 5, str)
    assert read_meta_properties(str(one)) == before and read_meta_properties(str(two)).cluster_id == "c"


def test_bootstrap_is_none_without_a_file(tmp_path: Path) -> None:
    assert read_bootstrap_checkpoint(str(tmp_path)) is None


@pytest.mark.parametrize("text", ["", "1", "@a:1:x", "1@", "1@a", "1@a:1", "1@[a:1:x", "1@a:70000:" + "A" * 22, "-1@a:1:" + "A" * 22])
def test_bad_controllers(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_initial_controllers(text)


def test_a_credential_as_in_rfc_7677() -> None:
    """The example of RFC 7677, section 3: user `user`, password `pencil`."""
    record = parse_scram_argument('SCRAM-SHA-256=[name=user,password=pencil,salt="W22ZaJ0SNY7soEsUEjb6gQ==",iterations=4096]')
    nonces = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,{nonces},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,{nonces}"
    signature = hmac.digest(record.server_key, message.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client_key = bytes(left ^ right for left, right in zip(proof, hmac.digest(record.stored_key, message.encode(), "sha256"), strict=True))
    assert hashlib.sha256(client_key).digest() == record.stored_key
    assert (record.name, record.mechanism, record.iterations) == ("user", 1, 4096)
