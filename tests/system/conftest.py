# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: one cluster a session, a database and a repository a test."""
import os
import pwd
import random
import string

import pytest

import pgcluster
from physical import PhysicalCluster, Site


def missing():
    if not pgcluster.PROGRAM.exists():
        return f"{pgcluster.PROGRAM} is not built"
    if pgcluster.newest_bin() is None:
        return "PostgreSQL's server programs are not installed"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "running as root, and there is no user postgres to run a server as"
    return None


@pytest.fixture(scope="session")
def cluster():
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    made = pgcluster.Cluster()
    yield made
    made.remove()


@pytest.fixture
def second_cluster(cluster):
    """A server without anything, for restores to somewhere else."""
    made = pgcluster.Cluster()
    yield made
    made.remove()


@pytest.fixture
def database(cluster):
    """The name of a fresh database; it and what the test derives from its name are dropped afterwards."""
    name = "t_" + "".join(random.choices(string.ascii_lowercase, k=8))
    cluster.create(name)
    yield name
    for other in cluster.databases():
        if other.startswith(name) or other.startswith("holdfast_"):
            cluster.drop(other)


@pytest.fixture
def holdfast(cluster, database, tmp_path):
    """The program, backing up that database only."""
    return pgcluster.Holdfast(tmp_path, cluster, extra=f"databases = {database}\n")


@pytest.fixture
def closing():
    """Things that are removed at the end, the last first."""
    things = []
    yield lambda thing: things.append(thing) or thing
    for thing in reversed(things):
        thing.remove()


@pytest.fixture
def server(closing):
    """A server that archives its WAL."""
    if missing() is not None:
        pytest.skip(missing())
    return closing(PhysicalCluster())


@pytest.fixture
def site(server):
    """A repository of that server's."""
    return Site(server)
