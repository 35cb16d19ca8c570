"""A stream of bytes, cut into parts of one size."""

from hypothesis import given
from hypothesis import strategies as st

from scriza_adapters.objects_s3.parts import Parts


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 30))
def test_parts_are_of_one_size_and_together_are_what_was_added(pieces: list[bytes], size: int) -> None:
    parts, taken = Parts(size), list[bytes]()
    for piece in pieces:
        parts.add(piece)
        while (part := parts.take()) is not None:
            taken.append(b"".join(part))
    assert all(len(part) == size for part in taken)
    rest = b"".join(parts.rest())
    assert len(rest) < size
    assert b"".join(taken) + rest == b"".join(pieces)
    assert parts.rest() == []
