"""Providers of configuration values (KIP-297): what they may read, and what is said of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from barnabas.storage.config_providers import Filled, ProviderError, fill_in

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "org.apache.kafka.common.config.provider."


def texts(kind: str, value: str, **parameters: str) -> dict[str, str]:
    given = {f"config.providers.p.param.{name.replace('_', '.')}": text for name, text in parameters.items()}
    return {"config.providers": "p", "config.providers.p.class": PACKAGE + kind, "key": value, **given}


def filled(given: dict[str, str], **environment: str) -> str:
    found = fill_in(given, environment)
    assert {key: text for key, text in found.texts.items() if key != "key"} == {key: text for key, text in given.items() if key != "key"}
    assert (found.texts["key"] == given["key"]) == bool(found.missing)
    return found.texts["key"]


def test_without_providers_nothing_is_replaced() -> None:
    given = {"key": "${env:HOME}", "config.providers": "p"}
    assert fill_in(given, {"HOME": "x"}) == Filled(given, [])


def test_several_in_one_value_once_each() -> None:
    assert filled(texts("EnvVarConfigProvider", "<${p:A}|${p:B}>"), A="${p:B}", B="b") == "<${p:B}|b>"


def test_only_allowed_variables() -> None:
    given = texts("EnvVarConfigProvider", "${p:A}", allowlist_pattern="B.*")
    assert filled(given, A="a") == "${p:A}"
    assert filled(texts("EnvVarConfigProvider", "${p:BC}", allowlist_pattern="B.*"), BC="x") == "x"


def test_only_allowed_paths(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "insider"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "file").write_text("name = value\n")
    for kind, path in (("FileConfigProvider", "/file:name"), ("DirectoryConfigProvider", ":file")):
        good, bad = filled(texts(kind, f"${{p:{inside}{path}}}", allowed_paths=str(inside))), f"${{p:{outside}{path}}}"
        assert good in ("value", "name = value\n")
        assert filled(texts(kind, bad, allowed_paths=str(inside))) == bad
        sly = f"${{p:{inside}/../insider{path}}}"
        assert filled(texts(kind, sly, allowed_paths=str(inside))) == sly


@pytest.mark.parametrize(
    ("given", "key", "says"),
    [
        (texts("OtherProvider", "x"), "config.providers.p.class", "no Java classes are loaded"),
        (texts("FileConfigProvider", "${p:/nonexistent:k}"), "key", "could not be read"),
        (texts("EnvVarConfigProvider", "${p:path:k}"), "key", "Path is not supported"),
        (texts("EnvVarConfigProvider", "x", allowlist_pattern="("), "config.providers.p.param.allowlist.pattern", "is no pattern"),
        (texts("FileConfigProvider", "x", allowed_paths="relative"), "config.providers.p.param.allowed.paths", "not absolute"),
        (texts("FileConfigProvider", "x", allowed_paths="/nonexistent"), "config.providers.p.param.allowed.paths", "does not exist"),
    ],
)
def test_what_cannot_be_used_is_said(given: dict[str, str], key: str, says: str) -> None:
    with pytest.raises(ProviderError, match=says) as raised:
        fill_in(given)
    assert raised.value.key == key
