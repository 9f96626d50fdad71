# SPDX-License-Identifier: Apache-2.0
"""The words of a statement. Names without quotes are lower case, as on a real server."""
import re

import errors

TOKEN = re.compile(
    r"\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>\d+[buasmhdw](?![A-Za-z0-9_])|0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<string>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")"
    r"|(?P<name>`(?:[^`]|``)*`)"
    r"|(?P<mark>>=|<=|<>|!=|[(),.*=<>;?+\-]))", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "%": "\\%", "_": "\\_", "x": "\\x", "X": "\\X"}


def unquote(literal):
    """The value of a string literal."""
    quote, inside = literal[0], literal[1:-1]
    if quote + quote in inside:
        inside = inside.replace(quote + quote, quote)
    if "\\" in inside:
        inside = re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), inside, flags=re.DOTALL)
    return inside


class Words:
    """A cursor over the words of one statement: (kind, text)."""

    def __init__(self, sql):
        self.sql, self.at = sql, 0
        self.old = False  # said to a server of 3.0
        self.tokens, self.places = [], []
        place, end = 0, len(sql.rstrip())
        while place < end:
            found = TOKEN.match(sql, place)
            if found is None:
                raise self.syntax_at(place)
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            self.places.append(found.start(found.lastgroup))
            place = found.end()
        self.tokens.append(("end", ""))
        self.places.append(end)

    def syntax_at(self, place):
        text = re.sub(r"[A-Z]+", lambda found: found[0].lower(), self.sql[place:].strip())
        return errors.syntax(text[:100]) if text else errors.incomplete()

    def refuse(self):
        raise self.syntax_at(self.places[self.at])

    def kind(self):
        return self.tokens[self.at][0]

    def text(self):
        return self.tokens[self.at][1]

    def next(self):
        token = self.tokens[self.at]
        self.at += 1
        return token

    def peek(self, *words):
        """Whether these words or marks come next."""
        for offset, word in enumerate(words):
            at = self.at + offset
            if at >= len(self.tokens):
                return False
            kind, text = self.tokens[at]
            if kind not in ("word", "mark") or text.lower() != word:
                return False
        return True

    def accept(self, *words):
        if not self.peek(*words):
            return False
        self.at += len(words)
        return True

    def expect(self, *words):
        for word in words:
            if not self.accept(word):
                self.refuse()

    def one_of(self, *words):
        """The word that comes next, if it is one of these."""
        for word in words:
            if self.accept(word):
                return word
        return self.refuse()

    def name(self):
        kind, text = self.tokens[self.at]
        if kind == "word":
            value = text.lower()
        elif kind == "name":
            value = text[1:-1].replace("``", "`")
        else:
            self.refuse()
        self.at += 1
        return value

    def names(self):
        """A list of names between parentheses."""
        self.expect("(")
        found = [self.name()]
        while self.accept(","):
            found.append(self.name())
        self.expect(")")
        return found

    def integer(self):
        sign = -1 if self.accept("-") else 1
        if self.kind() != "number" or not self.text().isdigit():
            self.refuse()
        return sign * int(self.next()[1])

    def string(self):
        """The value of a string."""
        if self.kind() != "string":
            self.refuse()
        return unquote(self.next()[1])

    def literal(self):
        """The text between the quotes, as it was written."""
        if self.kind() != "string":
            self.refuse()
        return self.next()[1][1:-1]

    def rest(self):
        return self.sql[self.places[self.at]:]

    def end(self):
        if self.kind() != "end" and not self.accept(";"):
            self.refuse()
