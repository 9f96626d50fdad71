# SPDX-License-Identifier: Apache-2.0
"""The commands of those pages of the guide that bring a server back."""
import pytest

from guide import guide_servers, name, pages_of, run_page  # noqa: F401, a fixture


@pytest.mark.parametrize("page", pages_of("recovery"), ids=name)
def test_commands_of_a_page(servers, page):
    run_page(servers, page)
