"""A home without a node in it: its properties file, its addresses, its pid file."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest

from barnabas.cli.home import Home, HomeError, free_port, is_free
from barnabas.cli.main import main
from barnabas.cli.processes import duration_text, size_text, usage

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_home(tmp_path: Path) -> None:
    home = Home(str(tmp_path / "data"))
    assert not home.exists()
    home.create(19092, 19093)
    settings = home.settings()
    assert home.address(settings) == ("127.0.0.1", 19092)
    assert home.controller_port(settings) == 19093
    assert home.log_dirs(settings) == [str(tmp_path / "data" / "log")]
    assert not home.is_formatted(settings)
    with pytest.raises(FileExistsError):
        home.create(1, 2)


def test_somebody_elses_process_isnt_our_node(tmp_path: Path) -> None:
    home = Home(str(tmp_path))
    home.create(19092, 19093)
    (tmp_path / "node.pid").write_text(f"{os.getpid()}\n")
    assert home.pid() is None


def test_settings_without_clients(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="listeners="):
        Home.address({"listeners": "CONTROLLER://:9093", "controller.listener.names": "CONTROLLER"})


def test_ports() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert free_port(port) != port
    assert is_free(free_port(0) or port)


def test_commands_without_a_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(tmp_path / "none")
    assert main(["status", "--dir", where]) == 3
    assert "stopped" in capsys.readouterr().out
    assert main(["status", "--dir", where, "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"running": False, "directory": where}
    assert main(["down", "--dir", where]) == 0
    assert "No node runs" in capsys.readouterr().out
    assert main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kafka_version"] == "4.3.1"
    assert not os.path.exists(where)


def test_texts() -> None:
    assert [duration_text(s) for s in (0.0034, 1.5, 42, 90, 7300, 200000)] == ["3 ms", "1.50 s", "42 s", "1 min 30 s", "2 h 1 min", "2 d 7 h"]
    assert [size_text(n) for n in (12, 2048, 26 << 20)] == ["12 B", "2.0 KiB", "26.0 MiB"]


def test_usage_of_this_process() -> None:
    used = usage(os.getpid())
    assert used is not None
    assert used.resident_bytes > 1 << 20
    assert used.uptime_s >= 0
    assert usage(2**22 + 1) is None
