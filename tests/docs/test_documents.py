"""The documents' commands, run; their links, followed."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apache import release
from tests.docs import consoles
from tests.nodes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "examples").rglob("*.md")])


def text(name: str) -> str:
    """A document with ports that are free instead of the usual ones, and a node id that no other node of the machine has: it is stopped by its id."""
    document = re.sub(r"\b17\b", str(random.randrange(10**6, 10**9)), (ROOT / "docs" / name).read_text())
    for port in sorted(set(re.findall(r"\b909\d\b", document))):
        document = re.sub(rf"\b{port}\b", str(free_port()), document)
    return document


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty folder to type in; nodes that are left in it end with the test."""
    yield tmp_path
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and Path(os.readlink(entry / "cwd")).is_relative_to(tmp_path):
                os.kill(int(entry.name), signal.SIGKILL)


def environment(home: Path) -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("LANG", "TMPDIR", "JAVA_HOME") if key in os.environ}
    return {**kept, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}


def unpacked_release(home: Path) -> None:
    """What an unpacked release of Apache Kafka has in bin, as far as the documents use it. The stop waits for the end, and ends this one alone."""
    folder = home / "kafka_2.13-4.3.1" / "bin"
    folder.mkdir(parents=True)
    start = shlex.join(release.java_command("kafka.Kafka", [], release.QUICK_SERVER_FLAGS))
    scripts = {
        "kafka-server-start.sh": f'test "$1" = -daemon || exit 1\n{start} "$2" >apache.out 2>&1 &\necho $! >{home}/apache.pid',
        "kafka-server-stop.sh": f"pid=$(cat {home}/apache.pid); kill $pid; while kill -0 $pid; do sleep 0.1; done",
    }
    for name, line in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{line}\n")
        (folder / name).chmod(0o755)


@pytest.mark.node
def test_getting_started(home: Path) -> None:
    document = text("getting-started.md")
    port = re.findall(r"serves on 127\.0\.0\.1:(\d+)", document)[0]
    first, rest = document.split("$ barnabas up\n", 1)
    assert consoles.run(f"{first}$ barnabas up --port {port}\n{rest}", home, environment(home), 120) == []
    assert not (home / "data").exists()


@pytest.mark.node
@pytest.mark.apache
def test_operations(home: Path) -> None:
    unpacked_release(home)
    assert consoles.run(text("operations.md"), home, environment(home), 200) == []


@pytest.mark.node
def test_clusters(home: Path) -> None:
    assert consoles.run(text("clusters.md"), home, environment(home), 200) == []


@pytest.mark.node
def test_testing(tmp_path: Path) -> None:
    """Each Python block is a file of tests in a project without anything else; the configuration shown is taken."""
    document = (ROOT / "docs" / "testing.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks):
        (tmp_path / f"test_{number}.py").write_text(block)
    (configuration,) = re.findall(r"^```toml\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    (tmp_path / "configured").mkdir()
    (tmp_path / "configured" / "pyproject.toml").write_text(configuration)
    (tmp_path / "configured" / "test_it.py").write_text(
        "def test_it(kafka_properties):\n    assert kafka_properties == {'num.partitions': '3', 'auto.create.topics.enable': 'false'}\n"
    )
    for folder, count in ((tmp_path, document.count("def test_")), (tmp_path / "configured", 1)):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), "--ignore", str(folder / "configured")]
        done = subprocess.run(command, cwd=folder, env=environment(tmp_path), capture_output=True, text=True, timeout=120)
        assert re.search(rf"^{count} passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        assert "://" in target or (path.parent / target).exists(), target


def test_every_document_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [path.name for path in (ROOT / "docs").glob("*.md") if f"docs/{path.name}" not in readme] == []


def test_what_the_comparison_takes_for_equal(tmp_path: Path) -> None:
    assert consoles.matches(["a", "...", "b ... d"], "a\nx\ny\nb c d\n")
    assert not consoles.matches(["a", "b"], "a\nx\nb\n")
    assert not consoles.matches(["a"], "a\nb\n")
    document = "```console\n$ cat <<E\n> 1\n>\n> 2\n> E\n1\n\n2\n$ echo other\nthis\n$ false\n$ echo never\n```\n<!-- not run: no -->\n```console\n$ exit 3\n```\n"
    assert [command.line for command in consoles.commands(document)] == [2, 10, 12, 13]
    assert shutil.which("bash")
    differences = consoles.run(document, tmp_path, environment(tmp_path), 10)
    assert [difference.splitlines()[0] for difference in differences] == ["line 10: $ echo other", "line 12: $ false"]
