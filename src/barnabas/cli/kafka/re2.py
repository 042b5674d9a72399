"""Whether a regular expression is one of RE2's, which consumers' pattern subscriptions use since KIP-848, and if not, why not.

Owns: the syntax. Matches nothing. Source: RE2's syntax page, with the reasons that RE2/J gives.
"""

from __future__ import annotations

MAX_REPEAT = 1000
MAX_LENGTH = 1_000_000
_NO_ARGUMENT = "missing argument to repetition operator"
_RANGE = "invalid character class range"
_ESCAPE = "invalid escape sequence"
_PERL = "invalid or unsupported Perl syntax"
_PAREN = "missing closing )"
_REPEAT_SIZE = "invalid repeat count"
_NAME = "invalid named capture"
_POSIX = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word", "xdigit"}
_CATEGORIES = "C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs"
_SCRIPTS = (
    "Any Arabic Armenian Avestan Balinese Bamum Batak Bengali Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Cham Cherokee "
    "Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Egyptian_Hieroglyphs Ethiopic Georgian Glagolitic Gothic Greek Gujarati Gurmukhi "
    "Han Hangul Hanunoo Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana "
    "Kayah_Li Kharoshthi Khmer Lao Latin Lepcha Limbu Linear_B Lisu Lycian Lydian Malayalam Mandaic Meetei_Mayek Mongolian Myanmar New_Tai_Lue Nko "
    "Ogham Ol_Chiki Old_Italic Old_Persian Old_South_Arabian Old_Turkic Oriya Osmanya Phags_Pa Phoenician Rejang Runic Samaritan Saurashtra "
    "Shavian Sinhala Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Tamil Telugu Thaana Thai Tibetan Tifinagh Ugaritic "
    "Unknown Vai Yi"
)
_OCTAL = "01234567"
_HEX = "0123456789abcdefABCDEF"
_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


class RegexError(ValueError):
    """Why an expression isn't one of RE2's, in a few words."""


def check(pattern: str) -> None:
    """Raises RegexError."""
    if len(pattern) > MAX_LENGTH:
        raise RegexError("expression too long")
    _Syntax(pattern).read()


class _Syntax:
    """One pass over the expression. `operand`: there is something to repeat; `repeated`: it was repeated just now."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.open = 0
        self.names: set[str] = set()
        self.operand = False
        self.repeated = False

    def peek(self, word: str) -> bool:
        return self.text.startswith(word, self.at)

    def more(self) -> bool:
        return self.at < len(self.text)

    def read(self) -> None:
        while self.more():
            letter = self.text[self.at]
            repeated, self.repeated = self.repeated, False
            if letter in "*+?":
                self.at += 1
                self._repeat(repeated)
            elif letter == "{" and (bounds := self._bounds()) is not None:
                low, high = bounds
                if low > MAX_REPEAT or high > MAX_REPEAT or 0 <= high < low:
                    raise RegexError(_REPEAT_SIZE)
                self._repeat(repeated)
            else:
                self._single(letter)
                self.repeated = letter == "{"  # RE2/J takes no repetition behind a brace that stands for itself
        if self.open:
            raise RegexError(_PAREN)

    def _single(self, letter: str) -> None:
        self.at += 1
        if letter == "(" and self.peek("?"):
            self._perl_group()
            return
        if letter == "\\" and self.peek("Q"):
            self._quoted()
            return
        self.operand = True
        if letter == "(":
            self.operand = False
            self.open += 1
        elif letter == "|":
            self.operand = False
        elif letter == ")":
            if not self.open:
                raise RegexError("regexp/syntax: internal error")
            self.open -= 1
        elif letter == "[":
            self._class()
        elif letter == "\\":
            self._escaped()

    def _repeat(self, repeated: bool) -> None:
        """A repetition that was just read; `?` behind it makes it lazy."""
        if self.peek("?"):
            self.at += 1
        if repeated:
            raise RegexError("invalid nested repetition operator")
        if not self.operand:
            raise RegexError(_NO_ARGUMENT)
        self.repeated = True

    def _bounds(self) -> tuple[int, int] | None:
        """`{2}`, `{2,}` (-1: no end), `{2,3}`; None, and nothing read, for anything else, which stands for itself."""
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : max(end, self.at + 1)].partition(",")
        if end < 0 or not _is_count(low) or (high and not _is_count(high)):
            return None
        self.at = end + 1
        least = int(low[:5])
        return least, (int(high[:5]) if high else -1 if comma else least)

    def _perl_group(self) -> None:
        """`(?:`, `(?P<name>`, `(?<name>`, `(?i-s)`, `(?i-s:`; the parenthesis has been read."""
        for opening in ("?P<", "?<"):
            if self.peek(opening):
                self._named(opening)
                return
        self.at += 1
        negative = seen = False
        while self.more():
            letter = self.text[self.at]
            self.at += 1
            if letter in "imsU":
                seen = True
            elif letter == "-" and not negative:
                negative, seen = True, False
            elif letter in ":)" and (seen or not negative):
                if letter == ":":
                    self.open += 1
                    self.operand = False
                return
            else:
                break
        raise RegexError(_PERL)

    def _named(self, opening: str) -> None:
        end = self.text.find(">", self.at)
        if end < 0:
            raise RegexError(_NAME)
        name = self.text[self.at + len(opening) : end]
        if not name or not all(letter == "_" or (letter.isascii() and letter.isalnum()) for letter in name):
            raise RegexError(_NAME)
        if name in self.names:
            raise RegexError("duplicate capture group name")
        self.names.add(name)
        self.at = end + 1
        self.open += 1
        self.operand = False

    # Escapes and classes; the backslash or bracket has been read

    def _quoted(self) -> None:
        end = self.text.find("\\E", self.at)
        end = len(self.text) if end < 0 else end
        self.operand = self.operand or end > self.at + 1
        self.at = min(end + 2, len(self.text))

    def _escaped(self) -> None:
        if self.more() and self.text[self.at] in "AbBzdDsSwW":
            self.at += 1
        elif not self._unicode_class():
            self._character()

    def _unicode_class(self) -> bool:
        """`\\pL`, `\\p{Greek}`, `\\P{^Greek}`."""
        if not self.more() or self.text[self.at] not in "pP":
            return False
        if self.at + 1 >= len(self.text):
            raise RegexError(_RANGE)
        name = self.text[self.at + 1]
        self.at += 2
        if name == "{":
            end = self.text.find("}", self.at)
            if end < 0:
                raise RegexError(_RANGE)
            name = self.text[self.at : end]
            self.at = end + 1
        if name.removeprefix("^") not in (*_CATEGORIES.split(), *_SCRIPTS.split()):
            raise RegexError(_RANGE)
        return True

    def _character(self) -> int:
        """The code of one escaped character. Raises RegexError."""
        if not self.more():
            raise RegexError("trailing backslash at end of expression")
        letter = self.text[self.at]
        self.at += 1
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter in _OCTAL:
            # A single digit but 0 would refer back to a group.
            if letter != "0" and not (self.more() and self.text[self.at] in _OCTAL):
                raise RegexError(_ESCAPE)
            return int(letter + self._digits(_OCTAL, 2), 8)
        if letter == "x":
            return self._hexadecimal()
        if not (letter.isascii() and letter.isalnum()):
            return ord(letter)
        raise RegexError(_ESCAPE)

    def _hexadecimal(self) -> int:
        if not self.peek("{"):
            digits = self._digits(_HEX, 2)
            if len(digits) < 2:
                raise RegexError(_ESCAPE)
            return int(digits, 16)
        self.at += 1
        digits = self._digits(_HEX, len(self.text)).lstrip("0") or "0" * (self.text[self.at - 1] != "{")
        if not digits or not self.peek("}") or len(digits) > 6 or int(digits, 16) > 0x10FFFF:
            raise RegexError(_ESCAPE)
        self.at += 1
        return int(digits, 16)

    def _digits(self, allowed: str, count: int) -> str:
        start = self.at
        while self.more() and self.at - start < count and self.text[self.at] in allowed:
            self.at += 1
        return self.text[start : self.at]

    def _class(self) -> None:
        if self.peek("^"):
            self.at += 1
        first = True
        while first or not self.peek("]"):
            if not self.more():
                raise RegexError("missing closing ]")
            first = False
            if not self._named_class():
                self._range()
        self.at += 1

    def _named_class(self) -> bool:
        """`[:alpha:]`, `\\d`, `\\pL` inside a class."""
        if self.peek("[:"):
            end = self.text.find(":]", self.at + 2)
            if end >= 0:
                if self.text[self.at + 2 : end].removeprefix("^") not in _POSIX:
                    raise RegexError(_RANGE)
                self.at = end + 2
                return True
        if not self.peek("\\"):
            return False
        self.at += 1
        if self.more() and self.text[self.at] in "dDsSwW":
            self.at += 1
            return True
        if self._unicode_class():
            return True
        self.at -= 1
        return False

    def _range(self) -> None:
        low = self._class_character()
        if self.peek("-") and not self.peek("-]"):
            self.at += 1
            if self._class_character() < low:
                raise RegexError(_RANGE)

    def _class_character(self) -> int:
        if not self.more():
            raise RegexError("missing closing ]")
        letter = self.text[self.at]
        self.at += 1
        return self._character() if letter == "\\" else ord(letter)


def _is_count(text: str) -> bool:
    """Digits without a leading zero; RE2 takes no others for a count."""
    return text.isascii() and text.isdecimal() and (text == "0" or text[0] != "0")
