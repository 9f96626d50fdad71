# SPDX-License-Identifier: Apache-2.0
"""The commands of all other pages of the guide."""
import pytest

from guide import guide_servers, name, pages_of, run_page  # noqa: F401, a fixture


@pytest.mark.parametrize("page", pages_of("pages"), ids=name)
def test_commands_of_a_page(servers, page):
    run_page(servers, page)
