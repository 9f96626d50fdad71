# SPDX-License-Identifier: Apache-2.0
"""Misbehaving on demand: what a test wants to go wrong, set on the command line or by POST /standin/trouble."""
import threading

KNOWN = {
    "cut_after_blocks": "the connection ends in the middle of a reply, after so many blocks of it",
    "end_after_blocks": "the server ends, when so many blocks were sent",
    "end_after_writes": "the server ends at a prepared write, when so many were executed",
    "error_after_blocks": "a fetch is answered with an error, after so many blocks of the connection",
    "error_code": "the code of that error (24 where none is told)",
    "delay": "seconds that pass before every reply",
    "refuse_rows": "every write of rows is refused as too old (0x060B)",
    "lose_rows": "the last row of each prepared write to a table is lost, and nothing tells it",
    "refuse_alter": "ALTER DATABASE is refused where it names this option, as by a server that takes it at CREATE only",
    "old": "a server of 3.0: what came later is not known (old.py)",
    "refuse_token": "every token is refused, as an expired one is (HTTP status 401)",
    "refuse_login": "every login is refused (0x0357)",
    "refuse_consumers": "nobody can subscribe to a topic",
    "times": "how often the connection is cut or an error sent, before all is well again",
}


class Trouble:
    def __init__(self, settings=None):
        self.lock = threading.Lock()
        self.settings = {}
        self.counts = {}
        self.set(settings or {})

    def set(self, settings):
        unknown = set(settings) - set(KNOWN)
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(KNOWN)}")
        with self.lock:
            self.settings = dict(settings)
            self.counts = {}

    def get(self, name, fallback=None):
        return self.settings.get(name, fallback)

    def count(self, name):
        """One more, of all connections, since the trouble was set."""
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1

    def counted(self, name):
        return self.counts.get(name, 0)

    def due(self, name, blocks):
        """Whether this is to happen now, with so many blocks sent; it is counted."""
        with self.lock:
            if name not in self.settings or blocks < self.settings[name]:
                return False
            times = self.settings.get("times")
            if times is not None:
                self.settings["times"] = times - 1
                if times <= 1:
                    self.settings.clear()
            return True
