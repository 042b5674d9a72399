"""Which files a node's lines go to, as log4j's configurations say it: a log4j.properties of log4j 1, or a log4j2.yaml (or .json) of Log4j 2.

Owns reading them. Known are appenders for the console and for files that are rolled by size or time, PatternLayout, the root's level and appenders.
What would be lost without a word is refused (InvalidLogging); a logger of one class is named, since a node's lines have one logger, the root.
Source: Log4j's manual, Kafka's log4j2.yaml.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.node.console_log import DEBUG, ERROR, FATAL, INFO, OFF, TRACE, WARN
from barnabas.storage.properties_file import parse_properties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PATTERN = "[%d] %p %m (%c)%n"
_ONLY_THE_MESSAGE = "%m%n"  # an appender without a layout
LEVELS = {"ALL": TRACE, "TRACE": TRACE, "DEBUG": DEBUG, "INFO": INFO, "WARN": WARN, "ERROR": ERROR, "FATAL": FATAL, "OFF": OFF}
_LOG4J_1_BYTES, _LOG4J_1_BACKUPS, _LOG4J_2_BACKUPS = 10 << 20, 1, 7
_MOST_BACKUPS = 1000
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)B?", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{(?:(sys|env):)?([^}:]+)(?::-([^}]*))?\}")


class InvalidLogging(ValueError):
    """What in a file can't be done, and what to write instead."""


class Appender(NamedTuple):
    """Where lines go. A file is rolled over at `max_bytes` (0: at no size) and when `%d{...}` of `rolled_name` says something else."""

    path: str | None
    """None: the console."""
    pattern: str = PATTERN
    max_bytes: int = 0
    backups: int = 0
    rolled_name: str = ""
    """With `%i`, 1 being the newest, `%d{...}`, or both; empty: it is never rolled."""


class Logging(NamedTuple):
    level: int
    appenders: tuple[Appender, ...]
    """The root's."""
    unused: tuple[str, ...]
    """Files of other loggers: they are made, and stay empty."""
    warnings: tuple[str, ...]


def release_logging(directory: str) -> Logging:
    """What the release's own log4j2.yaml says of the files with lines here: the console, and server.log, a new one each hour."""
    name = os.path.join(directory, "server.log")
    others = tuple(
        os.path.join(directory, f"{other}.log") for other in ("state-change", "kafka-request", "log-cleaner", "controller", "kafka-authorizer")
    )
    return Logging(INFO, (Appender(None), Appender(name, rolled_name=f"{name}.%d{{yyyy-MM-dd-HH}}")), others, ())


def read_logging(path: str, logs_directory: str) -> Logging:
    """`logs_directory` is kafka.logs.dir. Raises InvalidLogging, OSError."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        if path.endswith((".yaml", ".yml", ".json", ".jsn")):
            return _Log4j2(text, path, logs_directory).logging()
        properties = {found.key: found.value for found in parse_properties(text)} if path.endswith(".properties") else {}
        if not any(key.startswith("log4j.") for key in properties):
            raise InvalidLogging(
                "only log4j 1's properties (log4j.rootLogger=...) and Log4j 2's YAML and JSON are read here: write it as one of them"
            )
        return _Log4j1(properties, logs_directory).logging()
    except InvalidLogging as error:
        raise InvalidLogging(f"{path}: {error}") from None


class _Log4j1:
    def __init__(self, properties: Mapping[str, str], directory: str) -> None:
        self._values = {key: _filled(value.strip(), {"kafka.logs.dir": directory}) for key, value in properties.items()}

    def logging(self) -> Logging:
        level, *names = _words(self._values.get("log4j.rootLogger", self._values.get("log4j.rootCategory", "INFO")))
        others = {key: _words(value)[1:] for key, value in self._values.items() if key.startswith(("log4j.logger.", "log4j.category."))}
        tied = {name for used in others.values() for name in used} - set(names)
        unused = tuple(sorted(appender.path for name in tied if (appender := self._appender(name)).path))
        return Logging(_level(level), tuple(map(self._appender, names)), unused, tuple(map(_no_logger, (key.split(".", 2)[2] for key in others))))

    def _appender(self, name: str) -> Appender:
        kind = self._values.get(f"log4j.appender.{name}", "").rpartition(".")[2]
        option = {key.lower(): value for key, value in self._options(name)}
        if "layout" not in option:
            pattern = _ONLY_THE_MESSAGE
        elif option["layout"].endswith("PatternLayout"):
            pattern = option.get("layout.conversionpattern", _ONLY_THE_MESSAGE)
        else:
            raise InvalidLogging(f"log4j.appender.{name}.layout={option['layout']}: only org.apache.log4j.PatternLayout is known here")
        if kind == "ConsoleAppender":
            return Appender(None, pattern)
        path = option.get("file", "")
        if kind not in ("FileAppender", "RollingFileAppender", "DailyRollingFileAppender"):
            raise InvalidLogging(
                f"log4j.appender.{name}={self._values.get(f'log4j.appender.{name}', '')}: only ConsoleAppender, FileAppender, RollingFileAppender "
                "and DailyRollingFileAppender of org.apache.log4j are known here"
            )
        if not path:
            raise InvalidLogging(f"log4j.appender.{name}.File is missing")
        if kind == "RollingFileAppender":
            return Appender(
                path, pattern, _size(option, "maxfilesize", _LOG4J_1_BYTES), _backups(option, "maxbackupindex", _LOG4J_1_BACKUPS), f"{path}.%i"
            )
        if kind == "DailyRollingFileAppender":
            dated = option.get("datepattern", "'.'yyyy-MM-dd")
            return Appender(path, pattern, rolled_name=f"{path}%d{{{dated}}}")
        return Appender(path, pattern)

    def _options(self, name: str) -> Iterable[tuple[str, str]]:
        start = f"log4j.appender.{name}."
        return ((key.removeprefix(start), value) for key, value in self._values.items() if key.startswith(start))


class _Log4j2:
    def __init__(self, text: str, path: str, directory: str) -> None:
        try:
            whole = json.loads(text) if path.endswith((".json", ".jsn")) else _yaml(text)
            self._root: dict[str, Any] = dict(whole["Configuration"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidLogging(f"no configuration of Log4j 2: {error}") from None
        self._known = {"kafka.logs.dir": directory}
        for one in _listed((self._root.get("Properties") or {}).get("Property")):
            self._known.setdefault(one["name"], str(one.get("value", "")))

    def logging(self) -> Logging:
        loggers = self._root.get("Loggers") or {}
        root = loggers.get("Root") or {}
        appenders = self._appenders()
        names = _references(root)
        others = _listed(loggers.get("Logger"))
        # Those that say no more than the root does are as good as not there.
        of_their_own = [one for one in others if _level(str(one.get("level", root.get("level", "ERROR")))) != _level(str(root.get("level", "ERROR")))]
        tied = {name for one in others for name in _references(one)} - set(names)
        missing = [name for name in (*names, *tied) if name not in appenders]
        if missing:
            raise InvalidLogging(f"AppenderRef {missing[0]}: there is no appender of that name")
        unused = tuple(sorted(path for name in tied if (path := appenders[name].path)))
        level = _level(str(root.get("level", "ERROR")))
        return Logging(level, tuple(appenders[name] for name in names), unused, tuple(_no_logger(str(one.get("name"))) for one in of_their_own))

    def _appenders(self) -> dict[str, Appender]:
        found = {}
        for kind, entries in (self._root.get("Appenders") or {}).items():
            for one in _listed(entries):
                found[self._text(one.get("name"))] = self._appender(kind, one)
        return found

    def _appender(self, kind: str, one: dict[str, Any]) -> Appender:
        name = self._text(one.get("name"))
        layouts = [key for key in one if key.endswith("Layout")]
        if layouts and layouts != ["PatternLayout"]:
            raise InvalidLogging(f"{kind} {name}: {layouts[0]} isn't known here, only PatternLayout")
        pattern = self._text(one["PatternLayout"].get("pattern", _ONLY_THE_MESSAGE)) if layouts else _ONLY_THE_MESSAGE
        if kind == "Console":
            return Appender(None, pattern)
        if kind not in ("File", "RollingFile"):
            raise InvalidLogging(f"{kind} {name}: only Console, File and RollingFile are known here")
        path = self._text(one.get("fileName"))
        if not path:
            raise InvalidLogging(f"{kind} {name}: fileName is missing")
        if kind == "File":
            return Appender(path, pattern)
        policies = one | (one.get("Policies") or {})
        rolled = self._text(one.get("filePattern"))
        if rolled.endswith((".gz", ".zip", ".bz2", ".xz")):
            raise InvalidLogging(f"{kind} {name}: filePattern {rolled}: files that were rolled aren't compressed here; leave the ending out")
        by_size = policies.get("SizeBasedTriggeringPolicy")
        if ("%i" in rolled) != (by_size is not None):
            raise InvalidLogging(f"{kind} {name}: filePattern {rolled}: %i and SizeBasedTriggeringPolicy belong together")
        limit = _size(by_size or {}, "size", 0)
        return Appender(path, pattern, limit, _backups(one.get("DefaultRolloverStrategy") or {}, "max", _LOG4J_2_BACKUPS), rolled)

    def _text(self, value: object) -> str:
        return _filled("" if value is None else str(value), self._known)


def _yaml(text: str) -> Any:
    import yaml  # only who names such a file waits for it

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidLogging(f"no YAML: {error}") from None


def _listed(value: Any) -> list[dict[str, Any]]:
    """One thing, several of them, or nothing."""
    return [dict(each) for each in (value if isinstance(value, list) else [] if value is None else [value])]


def _references(logger: Mapping[str, Any]) -> list[str]:
    return [str(one["ref"]) for one in _listed(logger.get("AppenderRef"))]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _level(text: str) -> int:
    found = LEVELS.get(text.strip().upper())
    if found is None:
        raise InvalidLogging(f"{text} is no level: one of {', '.join(LEVELS)}")
    return found


def _size(options: Mapping[str, Any], name: str, default: int) -> int:
    text = str(options.get(name, default))
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidLogging(f"{text} is no size: write 100MB, for instance")
    return int(found[1]) << 10 * " KMGT".index(found[2].upper() or " ")


def _backups(options: Mapping[str, Any], name: str, default: int) -> int:
    text = str(options.get(name, default))
    if not text.isdecimal() or int(text) > _MOST_BACKUPS:
        raise InvalidLogging(f"{name}={text}: a number from 0 to {_MOST_BACKUPS} is wanted")
    return int(text)


def _filled(text: str, known: Mapping[str, str], depth: int = 4) -> str:
    """Its ${...} replaced: a property of the file or of the JVM, `env:` a variable of the environment, `:-` what stands for one that isn't there."""

    def value(found: re.Match[str]) -> str:
        kind, name, default = found.groups()
        return str((os.environ if kind == "env" else known).get(name, found[0] if default is None else default))

    filled = _REFERENCE.sub(value, text)
    return filled if filled == text or not depth else _filled(filled, known, depth - 1)


def _no_logger(name: str) -> str:
    return f"logger {name}: this node's lines have one logger, the root; its level and files are those that count"
