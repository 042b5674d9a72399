"""kafka.docker.KafkaDockerWrapper: what starts in Kafka's container image. `setup` makes the configuration from KAFKA_* variables, and formats; `start`
becomes a node.

Owns the files' making: keys from variables (KAFKA_LOG_DIRS is log.dirs; `__` stands for `_`, `___` for `-`), defaults, what is mounted. Formatting is `storage`'s.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import server_start, storage
from .argparse4j import ArgumentError, HelpWanted
from .flat_arguments import Argument
from .subcommands import Command, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROPERTIES, _LOG4J, _TOOLS_LOG4J = "server.properties", "log4j2.yaml", "tools-log4j2.yaml"
_NO_KEYS = {
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
}
TOOL = Tool(
    "kafka-docker-wrapper",
    "What starts in a container.",
    (
        Command("start", "Become a node.", (Argument("--config", "The server.properties.", short="-C", required=True),)),
        Command(
            "setup",
            "Make the configuration, and format by it.",
            (
                Argument("--default-configs-dir", "Files that count where nothing else is said.", short="-D", required=True),
                Argument("--mounted-configs-dir", "Files of the container's user.", short="-M", required=True),
                Argument("--final-configs-dir", "Where the files are made that the node reads.", short="-F", required=True),
            ),
        ),
    ),
)


def main(argv: Sequence[str]) -> int:
    try:
        command, given = TOOL.parse(argv)
    except HelpWanted as page:
        print(page)
        return 0
    except ArgumentError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if command == "start":
        return server_start.main([given.text("--config")])
    default, mounted, final = (Path(given.text(f"--{which}-configs-dir")) for which in ("default", "mounted", "final"))
    try:
        prepare(default, mounted, final, os.environ)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"error while preparing configs: {error}\n")
        return 1
    if "CLUSTER_ID" not in os.environ:
        sys.stderr.write('Exception in thread "main" java.lang.RuntimeException: CLUSTER_ID environment variable is not set.\n')
        return 1
    return storage.main(["format", f"--cluster-id={os.environ['CLUSTER_ID']}", "-c", str(final / _PROPERTIES)])


def keys_of(environment: Mapping[str, str]) -> dict[str, str]:
    """KAFKA_* variables as keys of a server.properties."""
    found = {}
    for name, value in environment.items():
        if name.startswith("KAFKA_") and name not in _NO_KEYS:
            key = name.removeprefix("KAFKA_").lower().replace("_", ".")
            found[key.replace("...", "-").replace("..", "_")] = value
    return found


def prepare(default: Path, mounted: Path, final: Path, environment: Mapping[str, str]) -> None:
    """The three files that a container's node and tools read. Raises OSError, ValueError."""
    lines = "".join(f"\n{key}={value}" for key, value in keys_of(environment).items())
    before = (mounted / _PROPERTIES).read_text() if (mounted / _PROPERTIES).exists() else ""
    (final / _PROPERTIES).write_text(before + lines)
    if not (before + lines).strip() and (default / _PROPERTIES).exists():
        shutil.copy(default / _PROPERTIES, final / _PROPERTIES)
    loggers = {}
    for each in filter(None, environment.get("KAFKA_LOG4J_LOGGERS", "").split(",")):
        name, _, named_level = each.partition("=")
        loggers[name.strip()] = named_level.strip()
    for file, level, levels in (
        (_LOG4J, environment.get("KAFKA_LOG4J_ROOT_LOGLEVEL"), loggers),
        (_TOOLS_LOG4J, environment.get("KAFKA_TOOLS_LOG4J_LOGLEVEL"), {}),
    ):
        for directory in (default, mounted):
            if (directory / file).exists():
                shutil.copy(directory / file, final / file)
        if level or levels:
            _set_levels(final / file, level, levels)


def _set_levels(path: Path, root_level: str | None, levels: Mapping[str, str]) -> None:
    import yaml

    try:
        whole: Any = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
        loggers = whole.setdefault("Configuration", {}).setdefault("Loggers", {})
        root = loggers.setdefault("Root", {"level": "ERROR"})
        named = loggers.get("Logger") or []
        by_name = {one["name"]: one for one in (named if isinstance(named, list) else [named])}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no configuration of Log4j 2: {error}") from None
    if root_level:
        root["level"] = root_level
    for name, level in levels.items():
        by_name.setdefault(name, {"name": name})["level"] = level
    if by_name:
        loggers["Logger"] = list(by_name.values())
    path.write_text(yaml.safe_dump(whole, sort_keys=False))
