"""The requests that the OpenAPI page shows are such as the operations take."""

import msgspec
import pytest

from scriza.gateway.examples import EXAMPLES


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_an_example_is_read_as_what_it_is_of(kind: type[msgspec.Struct]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(EXAMPLES[kind]), type=kind) == EXAMPLES[kind]
