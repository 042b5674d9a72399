"""kafka-storage: format log directories, show what they are, look up feature levels. Flags, output and exit codes of Apache Kafka's StorageTool.

Reads only the few configuration keys that it needs, and works without a node. What formatting writes is `storage.format`.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from barnabas.storage.checkpoint_file import parse_integer
from barnabas.storage.format import FormatError, FormatOrder, InitialController, format_directories, parse_initial_controllers
from barnabas.storage.meta_properties import FILE_NAME, MetaProperties, MetaPropertiesError, new_directory_id, read_meta_properties
from barnabas.storage.properties_file import read_properties
from barnabas.storage.release_features import LATEST_STABLE_LEVEL, METADATA_VERSION_NAMES, MINIMUM_LEVEL, level_of_version
from barnabas.wire.types import uuid_text

from .argparse4j import ArgumentError, HelpWanted
from .feature_levels import dependencies, name_and_level, version_mapping
from .flat_arguments import Argument
from .subcommands import Command, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .flat_arguments import Given

_LEVELS = f"The minimum is {METADATA_VERSION_NAMES[MINIMUM_LEVEL]}; the default is {METADATA_VERSION_NAMES[LATEST_STABLE_LEVEL]}"
_CONFIG = Argument("--config", short="-c", help="The server.properties whose directories are meant.", required=True)
_DYNAMIC = "Needs controller.quorum.voters to be unset."
_COMMANDS = (
    Command("info", "Show which log directories are formatted, and for which cluster and node.", (_CONFIG,)),
    Command(
        "format",
        "Format the log directories of this node.",
        (
            _CONFIG,
            Argument("--cluster-id", short="-t", help="The id of the cluster, the same for all its nodes.", required=True),
            Argument(
                "--add-scram",
                short="-S",
                help="A credential for the new cluster's metadata, such as 'SCRAM-SHA-256=[name=alice,password=secret]'. May be repeated.",
                repeats=True,
            ),
            Argument("--ignore-formatted", short="-g", help="Leave directories that are formatted as they are instead of refusing.", kind="Flag"),
            Argument("--release-version", short="-r", help=f"The release whose feature levels the cluster begins with. {_LEVELS}"),
            Argument("--feature", short="-f", help="The level of one feature, such as kraft.version=1. May be repeated.", repeats=True),
            Argument(
                "--standalone",
                short="-s",
                help=f"Make this controller a quorum of one, to which others can be added. {_DYNAMIC}",
                kind="Flag",
                in_group=True,
                group_needed=False,
            ),
            Argument(
                "--no-initial-controllers",
                short="-N",
                help=f"Name no controllers: this node joins others. {_DYNAMIC}",
                kind="Flag",
                in_group=True,
                group_needed=False,
            ),
            Argument(
                "--initial-controllers",
                short="-I",
                help=f"The first controllers as id@host:port:directory, separated by commas, the same for all nodes. {_DYNAMIC}",
                in_group=True,
                group_needed=False,
            ),
        ),
    ),
    Command(
        "version-mapping",
        "Show the feature levels that go with a release.",
        (Argument("--release-version", short="-r", help=f"The release to look up. {_LEVELS}"),),
    ),
    Command(
        "feature-dependencies",
        "Show what a feature's level depends on.",
        (
            Argument(
                "--feature", short="-f", help="A feature and its level, such as metadata.version=5. May be repeated.", required=True, repeats=True
            ),
        ),
    ),
    Command("random-uuid", "Print a random id."),
)
TOOL = Tool("kafka-storage", "Format and inspect Kafka's log directories.", _COMMANDS, takes_files=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool with these arguments; its exit code."""
    return run(sys.argv[1:] if argv is None else argv, lambda line: print(line), lambda line: print(line, file=sys.stderr))


def run(argv: Sequence[str], say: Callable[[str], object], complain: Callable[[str], object]) -> int:
    """As `main`, with the two streams' lines handed out."""
    try:
        command, given = TOOL.parse(argv)
        if command == "info":
            return _info(StorageSettings(given.text("--config")), say)
        _DOERS[command](given, say)
    except HelpWanted as help_text:
        say(str(help_text).rstrip("\n"))
    except ArgumentError as error:
        complain(str(error))
        return 1
    except (ValueError, OSError) as error:
        complain(str(error))
        return 1
    return 0


class StorageSettings:
    """The keys of server.properties that decide about directories and the first quorum. Raises OSError, ValueError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._values = {key: value.strip() for key, value in _filled({key: value for key, value, _ in read_properties(path)}).items()}
        self.process_roles = self._list("process.roles")
        self.log_directories = self._list("log.dirs") or self._list("log.dir") or ["/tmp/kafka-logs"]
        self.metadata_directory = self._values.get("metadata.log.dir") or self.log_directories[0]
        self.controller_listeners = self._list("controller.listener.names")
        self.static_voters = self._list("controller.quorum.voters")
        self.unstable_features = self._values.get("unstable.feature.versions.enable", "false").lower() == "true"

    def _list(self, key: str) -> list[str]:
        return [part.strip() for part in self._values.get(key, "").split(",") if part.strip()]

    @property
    def directories(self) -> list[str]:
        return sorted({*self.log_directories, self.metadata_directory})

    @property
    def node_id(self) -> int:
        text = self._values.get("node.id") or self._values.get("broker.id")
        if text is None:
            raise ValueError(f'{self._path}: Missing required configuration "node.id" which has no default value.')
        try:
            return parse_integer(text, 32)
        except ValueError:
            raise ValueError(f"Invalid value {text} for configuration node.id: Not a number of type INT") from None

    def controller_endpoint(self) -> tuple[str, int]:
        """(host, port) of the first controller listener, advertised or else as it listens."""
        wanted = self.controller_listeners[0].upper()
        for key in ("advertised.listeners", "listeners"):
            for entry in self._list(key):
                name, _, address = entry.partition("://")
                if name.upper() == wanted:
                    host, _, port = address.rpartition(":")
                    host = host.strip("[]")
                    return ("localhost" if host in ("", "0.0.0.0") else host), parse_integer(port, 32)
        raise ValueError("No controller listeners found.")


def _filled(texts: dict[str, str]) -> dict[str, str]:
    if "config.providers" not in texts:
        return texts
    from barnabas.storage.config_providers import fill_in

    return fill_in(texts).texts


def _format(given: Given, say: Callable[[str], object]) -> None:
    settings = StorageSettings(given.text("--config"))
    if not settings.process_roles:
        raise FormatError("The kafka configuration file appears to be for a legacy cluster. Formatting is only supported for clusters in KRaft mode.")
    if not settings.controller_listeners:
        raise FormatError("controller.listener.names must name the controllers' listener.")
    controllers = _controllers(given, settings)
    is_controller = "controller" in settings.process_roles
    if is_controller and not settings.static_voters and not controllers and not given.has("--no-initial-controllers"):
        raise FormatError(
            "Because controller.quorum.voters is not set on this controller, you must specify one of the following: "
            "--standalone, --initial-controllers, or --no-initial-controllers."
        )
    release = given.one("--release-version")
    order = FormatOrder(
        node_id=settings.node_id,
        cluster_id=given.text("--cluster-id"),
        directories=settings.directories,
        metadata_directory=settings.metadata_directory,
        controller_listener=settings.controller_listeners[0],
        metadata_version=None if release is None else level_of_version(release, unstable=settings.unstable_features),
        features=dict(name_and_level(text) for text in given.all("--feature") or ()),
        dynamic_quorum=not settings.static_voters,
        controllers=controllers,
        scram=given.all("--add-scram") or (),
        ignore_formatted=given.has("--ignore-formatted"),
        unstable_features=settings.unstable_features,
    )
    format_directories(order, time.time_ns() // 1_000_000, say)


def _controllers(given: Given, settings: StorageSettings) -> list[InitialController]:
    initial, standalone = given.one("--initial-controllers"), given.has("--standalone")
    if settings.static_voters and (initial is not None or standalone):
        raise FormatError(
            "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. If you want to use "
            "dynamic quorum, please remove controller.quorum.voters and specify controller.quorum.bootstrap.servers instead."
        )
    if initial is not None:
        return parse_initial_controllers(initial)
    if not standalone:
        return []
    if "controller" not in settings.process_roles:
        raise FormatError("You can only use --standalone on a controller.")
    return [InitialController(settings.node_id, *settings.controller_endpoint(), new_directory_id())]


def _version_mapping(given: Given, say: Callable[[str], object]) -> None:
    for line in version_mapping(given.one("--release-version")):
        say(line)


def _feature_dependencies(given: Given, say: Callable[[str], object]) -> None:
    for text in given.all("--feature") or ():
        name, equals, level_text = (part.strip() for part in text.partition("="))
        if not equals:
            raise ValueError(f"Invalid feature format: {text}. Expected format: 'feature=version' (e.g. 'group.version=1')")
        try:
            level = parse_integer(level_text, 16)
        except ValueError:
            raise ValueError(f"Invalid version format: {level_text} for feature {name}") from None
        for line in dependencies(name, level, f"Feature level {level} is not supported for feature {name}"):
            say(line)


def _random_uuid(given: Given, say: Callable[[str], object]) -> None:
    say(uuid_text(new_directory_id()))


_DOERS: dict[str, Callable[[Given, Callable[[str], object]], None]] = {
    "format": _format,
    "version-mapping": _version_mapping,
    "feature-dependencies": _feature_dependencies,
    "random-uuid": _random_uuid,
}


def _info(settings: StorageSettings, say: Callable[[str], object]) -> int:
    """Print what the directories are; 1 when something is wrong with them."""
    found: list[str] = []
    problems: list[str] = []
    first: MetaProperties | None = None
    for directory in settings.directories:
        if not os.path.isdir(directory):
            problems.append(f"{directory} is not a directory" if os.path.exists(directory) else f"{directory} does not exist")
            continue
        found.append(directory)
        try:
            properties = read_meta_properties(directory)
        except FileNotFoundError:
            problems.append(f"{directory} is not formatted.")
            continue
        except MetaPropertiesError as error:
            problems.append(f"Error loading {os.path.join(directory, FILE_NAME)}: {error}")
            continue
        first = first or properties
        if first.cluster_id != properties.cluster_id:
            problems.append("Mismatched cluster IDs between storage directories.")
        elif first.node_id != properties.node_id:
            problems.append("Mismatched node IDs between storage directories.")
    if first is not None and first.version == (0 if settings.process_roles else 1):
        problems.append(
            "The kafka configuration file appears to be for a cluster in KRaft mode, but the directories are formatted for legacy mode."
            if settings.process_roles
            else "The kafka configuration file appears to be for a legacy cluster, but the directories are formatted for a cluster in KRaft mode."
        )
    _say_section(say, "Found log director", "y:", "ies:", found)
    if first is not None:
        say(f"Found metadata: {{{', '.join(f'{key}={value}' for key, value in sorted(first.entries()))}}}")
        say("")
    _say_section(say, "Found problem", ":", "s:", problems)
    return 1 if problems else 0


def _say_section(say: Callable[[str], object], title: str, one: str, many: str, lines: Sequence[str]) -> None:
    if lines:
        say(title + (one if len(lines) == 1 else many))
        for line in lines:
            say(f"  {line}")
        say("")
