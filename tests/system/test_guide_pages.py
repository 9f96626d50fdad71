# SPDX-License-Identifier: Apache-2.0
"""The commands of all other pages of the guide."""
import pytest

from conftest import missing
from guide import Sandbox, Servers, name, pages_of

PAGES = pages_of("pages")


@pytest.fixture(scope="module")
def servers():
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    made = Servers()
    yield made
    made.remove()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_of_a_page(servers, page):
    sandbox = Sandbox(servers, page)
    try:
        sandbox.run_page(page)
    finally:
        sandbox.remove()
