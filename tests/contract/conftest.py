"""The fixture by which a contract is tested on both sides of a port; see `doors.py`."""

import pytest

from tests.contract.doors import Doors


@pytest.fixture(params=["in-process", "http"])
def doors(request: pytest.FixtureRequest) -> Doors:
    return Doors(remote=request.param == "http")
