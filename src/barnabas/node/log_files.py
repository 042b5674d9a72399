"""Lines of a node's log in files: laid out by log4j's patterns, rolled over by size or by time, under the names that operators look for.

Owns the files. Which there are is `config.log4j`'s. A file that can't be written is given up, which is said on the console: a log is no reason to stop.
"""

from __future__ import annotations

import os
import re
import time
from threading import Lock, current_thread
from typing import TYPE_CHECKING

from barnabas.node.config.log4j import InvalidLogging, read_logging, release_logging
from barnabas.node.console_log import NAMES, WARN, ConsoleLog, to_console

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.config.log4j import Appender

    Layout = Callable[[int, float, str, str], str]
    """(level, time, text, logger) -> a line with its end."""

_CONVERSION = re.compile(r"%(-?\d+)?(?:\.-?(\d+))?(message|msg|level|date|logger|thread|tn|[a-zA-Z%])(?:\{([^}]*)\})?")
_DATES = {"": "yyyy-MM-dd HH:mm:ss,SSS", "DEFAULT": "yyyy-MM-dd HH:mm:ss,SSS", "ISO8601": "yyyy-MM-dd'T'HH:mm:ss,SSS", "ABSOLUTE": "HH:mm:ss,SSS"}
_DATE_FIELD = re.compile(r"'([^']*)'|yyyy|yy|MM|dd|HH|mm|ss|SSS|[A-Za-z]+")
_STRFTIME = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_MILLISECONDS = "\1"  # stands for them, as strftime has none
_NAMES_OF = {"message": "m", "msg": "m", "level": "p", "date": "d", "logger": "c", "thread": "t", "tn": "t"}
_PLAIN = frozenset("dpmctn%")


def attach(log: ConsoleLog, path: str | None, directory: str) -> None:
    """Have a node's log written as the file at `path` says, or as the release's own; `directory` is $LOG_DIR. Raises InvalidLogging, OSError."""
    os.makedirs(directory, exist_ok=True)
    logging = release_logging(directory) if path is None else read_logging(path, directory)
    log.level = logging.level
    log.sinks = tuple(_sink(appender) for appender in logging.appenders)
    for unused in logging.unused:
        open_appending(unused).close()
    for warning in logging.warnings:
        log.write(WARN, f"{path}: {warning}")


def open_appending(path: str) -> LogFile:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    return LogFile(path)


class LogFile:
    """One file, appended to. What is written is seen at once."""

    __slots__ = ("_descriptor", "path", "size_bytes", "written_at")

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        found = os.fstat(self._descriptor)
        self.size_bytes = found.st_size
        self.written_at = found.st_mtime if found.st_size else time.time()

    def write(self, data: bytes) -> None:
        self.size_bytes += os.write(self._descriptor, data)

    def close(self) -> None:
        os.close(self._descriptor)


class RolledFile:
    """A sink of lines. Rolled over before the line that doesn't fit, or is of another time than those before it."""

    def __init__(self, appender: Appender, layout: Layout) -> None:
        self._appender = appender
        self._layout = layout
        self._lock = Lock()
        self._rolled_name = _rolled_name(appender.rolled_name)
        self._file: LogFile | None = open_appending(appender.path or "")
        self._period = self._rolled_name(self._file.written_at)

    def __call__(self, level: int, now: float, text: str, logger: str) -> None:
        data = self._layout(level, now, text, logger).encode("utf-8", "replace")
        with self._lock:
            if self._file is None:
                return
            try:
                self._make_room(len(data), now)
                self._file.write(data)
            except OSError as error:
                self._file, path = None, self._appender.path
                to_console(
                    WARN,
                    now,
                    f"{path} can't be written any more: {error.strerror}. Lines go on here; start the node again to have them there.",
                    logger,
                )

    def _make_room(self, size_bytes: int, now: float) -> None:
        assert self._file is not None
        limit, period = self._appender.max_bytes, self._rolled_name(now)
        is_full = 0 < limit < self._file.size_bytes + size_bytes
        if not self._file.size_bytes or not (is_full or period != self._period):
            return
        self._file.close()
        self._roll(self._period)
        self._file = LogFile(self._file.path)
        self._period = period

    def _roll(self, name: str) -> None:
        """The file gets its other name; those before it move up by one, the last is lost."""
        path, most = self._appender.path or "", self._appender.backups
        if "%i" not in name:
            os.replace(path, name)
        elif most == 0:
            os.remove(path)
        else:
            for number in range(most - 1, 0, -1):
                older = name.replace("%i", str(number))
                if os.path.exists(older):
                    os.replace(older, name.replace("%i", str(number + 1)))
            os.replace(path, name.replace("%i", "1"))


def _sink(appender: Appender) -> Callable[[int, float, str, str], object]:
    layout = layout_of(appender.pattern)
    if appender.path is not None:
        return RolledFile(appender, layout)
    return lambda level, now, text, logger: to_console(level, now, text, logger, layout)


def _rolled_name(pattern: str) -> Callable[[float], str]:
    """Time -> the name, of which %i is left."""
    before, dated, after = pattern.partition("%d{")
    if not dated:
        return lambda at: pattern
    date, _, behind = after.partition("}")
    shown = _date_of(date)
    return lambda at: f"{before}{shown(at)}{behind}"


def layout_of(pattern: str) -> Layout:
    """Raises InvalidLogging for what it has no value for."""
    parts: list[Callable[[int, float, str, str], str]] = []
    at = 0
    while at < len(pattern):
        if pattern[at] != "%":
            end = pattern.find("%", at)
            end = len(pattern) if end < 0 else end
            parts.append(_literal(pattern[at:end]))
            at = end
            continue
        found = _CONVERSION.match(pattern, at)
        kind = None if found is None else _NAMES_OF.get(found[3], found[3])
        if found is None or kind not in _PLAIN:
            raise InvalidLogging(f"pattern {pattern}: nothing is known here for {pattern[at : at + 4]}; %d %p %m %c %t %n are")
        parts.append(_padded(_conversion(kind or "", found[4] or ""), int(found[1] or 0), int(found[2] or 0)))
        at = found.end()
    return lambda level, now, text, logger: "".join([part(level, now, text, logger) for part in parts])


def _literal(text: str) -> Layout:
    return lambda level, now, message, logger: text


def _conversion(kind: str, option: str) -> Layout:
    if kind == "d":
        shown = _date_of(option)
        return lambda level, now, text, logger: shown(now)
    simple: dict[str, Layout] = {
        "p": lambda level, now, text, logger: NAMES[level],
        "m": lambda level, now, text, logger: text,
        "c": lambda level, now, text, logger: logger,
        "t": lambda level, now, text, logger: current_thread().name,
        "n": lambda level, now, text, logger: "\n",
        "%": lambda level, now, text, logger: "%",
    }
    return simple[kind]


def _padded(part: Layout, width: int, most: int) -> Layout:
    """As Java's layouts: %5p to the right, %-5p to the left; of more than `most` characters the last ones."""
    if not width and not most:
        return part

    def padded(level: int, now: float, text: str, logger: str) -> str:
        shown = part(level, now, text, logger)[-most:]
        return shown.ljust(-width) if width < 0 else shown.rjust(width)

    return padded


def _date_of(option: str) -> Callable[[float], str]:
    """Java's letters for the fields of a date; raises InvalidLogging for those that aren't known here."""
    java = _DATES.get(option, option)

    def field(found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1].replace("%", "%%")
        if found[0] != "SSS" and found[0] not in _STRFTIME:
            raise InvalidLogging(f"date pattern {java}: {found[0]} isn't known here; yyyy MM dd HH mm ss SSS are")
        return _STRFTIME.get(found[0], _MILLISECONDS)

    template = _DATE_FIELD.sub(field, java)
    return lambda at: time.strftime(template, time.localtime(at)).replace(_MILLISECONDS, f"{int(at % 1 * 1000):03d}")
