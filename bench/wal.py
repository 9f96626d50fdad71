# SPDX-License-Identifier: Apache-2.0
"""Archiving and fetching WAL, file by file, with both tools: what a server's archiver and recovery wait for."""

import json
import os
import shutil
import subprocess

from cluster import as_owner

# Runs one command after the other as the server's user and tells wall and CPU seconds of each. No shell or other program stands
# between the clock and the command: those would cost as much as an empty push.
TIMER = """
import json, os, resource, sys, time
work = json.load(sys.stdin)
os.chdir(work["directory"])
null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
times = []
for command in work["commands"]:
    if work["fresh"] and os.path.exists(work["fresh"]):
        os.unlink(work["fresh"])
    begun = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=null)
    _, status, usage = os.wait4(child, 0)
    times.append((time.monotonic() - begun, usage.ru_utime + usage.ru_stime))
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(" ".join(command) + ": exit status %d" % os.waitstatus_to_exitcode(status))
print(json.dumps(times))
"""


class WalBenchmark:
    """`tools`: two objects with push(path), push_async(path) and get(name, path), which return commands. `segments` is a
    pg_wal of segments that neither tool has seen; the directory that it is in looks like the server's."""

    def __init__(self, tools, segments, target, environment, real_time):
        self.tools = tools
        self.segments = segments
        self.target = target
        self.environment = environment
        self.prefix = ["chrt", "-f", "10"] if real_time else []

    def time_each(self, commands, fresh=None):
        """`fresh` is removed before each command, as a server removes what the last fetch has left."""
        work = {"directory": str(self.segments.parent), "fresh": str(fresh or ""),
                "commands": [[str(word) for word in command] for command in commands]}
        done = subprocess.run(self.prefix + as_owner(["/usr/bin/python3", "-c", TIMER]), input=json.dumps(work), text=True,
                              stdout=subprocess.PIPE, check=True, cwd="/", env=self.environment)
        return json.loads(done.stdout)

    def alternate(self, names, make, fresh=None):
        """Both tools for each name, in changing order; wall and CPU seconds of each tool."""
        order = [(tool, name) for i, name in enumerate(names) for tool in (self.tools if i % 2 == 0 else self.tools[::-1])]
        times = self.time_each([make(tool, name) for tool, name in order], fresh)
        return [(tool, *(sum(time[i] for (who, _), time in zip(order, times) if who is tool) for i in (0, 1)))
                for tool in self.tools]

    def in_turn(self, names, make, status):
        """One tool after the other, which finds all names waiting as the server leaves them. CPU time is not known: the
        peer works in a process of its own."""
        result = []
        for tool in self.tools:
            for name in names:
                (status / f"{name}.ready").touch()
            times = self.time_each([make(tool, name) for name in names])
            result.append((tool, sum(time[0] for time in times), None))
        return result

    def measure(self):
        """Tuples of work, tool, wall seconds, CPU seconds."""
        names = sorted(entry.name for entry in self.segments.iterdir() if len(entry.name) == 24)
        half = len(names) // 2
        small = f"{names[0]}.00000028.backup"
        status = self.segments / "archive_status"
        status.mkdir(exist_ok=True)
        (self.segments / small).write_text("START WAL LOCATION: 0/28\n", encoding="utf-8")
        for path in (status, self.segments / small):
            shutil.chown(path, self.segments.owner(), self.segments.group())
        yield from (("push", *row) for row in self.alternate(names[:half], lambda tool, name: tool.push(f"pg_wal/{name}")))
        yield from (("get", *row) for row in self.alternate(
            names[:half], lambda tool, name: tool.get(name, self.target), self.target))
        self.alternate([small], lambda tool, name: tool.push(f"pg_wal/{name}"))
        yield from (("empty", *row) for row in self.alternate([small] * 40, lambda tool, name: tool.push(f"pg_wal/{name}")))
        yield from (("async", *row) for row in self.in_turn(names[half:], lambda tool, name: tool.push_async(f"pg_wal/{name}"), status))
        (self.segments / small).unlink()
        for name in os.listdir(status):
            (status / name).unlink()
