"""Lines to records: `headers <delimiter> key <separator> value`, as far as asked for. The settings of Apache Kafka's LineMessageReader."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

from .java import java_regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LINE_CHARACTERS = 64 * 1024 * 1024


class ReaderError(ValueError):
    """Settings that contradict one another, or a line that isn't as they say."""

    def __init__(self, message: str, java_class: str = "org.apache.kafka.common.KafkaException") -> None:
        super().__init__(message)
        self.java_class = java_class


class Line(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class LineFormat(NamedTuple):
    parse_key: bool = False
    key_separator: str = "\t"
    parse_headers: bool = False
    headers_delimiter: str = "\t"
    headers_separator: str = ","
    headers_key_separator: str = ":"
    ignore_error: bool = False
    null_marker: str | None = None

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> LineFormat:
        """From the reader's properties. Raises ReaderError."""
        made = cls(
            _flag(settings, "parse.key"),
            settings.get("key.separator", "\t"),
            _flag(settings, "parse.headers"),
            settings.get("headers.delimiter", "\t"),
            settings.get("headers.separator", ","),
            settings.get("headers.key.separator", ":"),
            _flag(settings, "ignore.error"),
            settings.get("null.marker"),
        )
        made._check()
        return made

    def _check(self) -> None:
        names = {
            "headers.delimiter": self.headers_delimiter,
            "headers.separator": self.headers_separator,
            "headers.key.separator": self.headers_key_separator,
        }
        pairs = [
            ("headers.delimiter", "headers.separator"),
            ("headers.delimiter", "headers.key.separator"),
            ("headers.separator", "headers.key.separator"),
        ]
        for one, other in pairs:
            if names[one] == names[other]:
                raise ReaderError(f"{one} and {other} may not be equal")
        for name in ("key.separator", "headers.separator", "headers.delimiter", "headers.key.separator"):
            if names.get(name, self.key_separator) == self.null_marker:
                raise ReaderError(f"null.marker and {name} may not be equal")


def _flag(settings: Mapping[str, str], key: str) -> bool:
    return settings.get(key, "").strip().lower() == "true"


class LineReader:
    """Feed it bytes, empty at the end. Lines end in \\n, \\r or both; bytes that aren't UTF-8 become the replacement character, as in Java."""

    def __init__(self, form: LineFormat) -> None:
        self._form = form
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._separator = re.compile(java_regex(form.headers_separator))
        self._number = 0

    def feed(self, data: bytes) -> Iterator[Line]:
        """Raises ReaderError at the first line that doesn't parse."""
        text = self._rest + self._decoder.decode(data, final=not data)
        lines = re.split("\r\n|\r|\n", text)
        self._rest = lines.pop()
        if data and text.endswith("\r"):  # half of \r\n, perhaps
            self._rest = lines.pop() + "\r" if lines else text
        elif not data and self._rest:
            lines.append(self._rest)
            self._rest = ""
        if len(self._rest) > MAX_LINE_CHARACTERS:
            raise ReaderError(f"Line {self._number + 1} is longer than {MAX_LINE_CHARACTERS} characters")
        for line in lines:
            self._number += 1
            yield self.parse(line)

    def parse(self, line: str) -> Line:
        form = self._form
        headers = self._part(form.parse_headers, line, 0, form.headers_delimiter, "headers delimiter")
        start = 0 if headers is None else len(headers) + len(form.headers_delimiter)
        key = self._part(form.parse_key, line, start, form.key_separator, "key separator")
        value = line[start + (0 if key is None else len(key) + len(form.key_separator)) :]
        parsed = () if headers is None or headers == form.null_marker else tuple(map(self._header, self._pairs(headers)))
        return Line(self._bytes(key), self._bytes(value), parsed)

    def _bytes(self, text: str | None) -> bytes | None:
        return None if text is None or text == self._form.null_marker else text.encode("utf-8", "replace")

    def _part(self, wanted: bool, line: str, start: int, separator: str, name: str) -> str | None:
        if not wanted:
            return None
        end = line.find(separator, start)
        if end >= 0:
            return line[start:end]
        if self._form.ignore_error:
            return None
        raise ReaderError(f"No {name} found on line number {self._number}: '{line}'")

    def _pairs(self, headers: str) -> list[str]:
        pairs = self._separator.split(headers)
        while len(pairs) > 1 and not pairs[-1]:
            pairs.pop()  # Java's split leaves empty ends out
        return pairs

    def _header(self, pair: str) -> tuple[str, bytes | None]:
        form = self._form
        name, found, value = pair.partition(form.headers_key_separator)
        if not found:
            if form.ignore_error:
                return pair, None
            raise ReaderError(f"No header key separator found in pair '{pair}' on line number {self._number}")
        if name == form.null_marker:
            raise ReaderError(f"Header keys should not be equal to the null marker '{form.null_marker}' as they can't be null")
        return name, self._bytes(value)
