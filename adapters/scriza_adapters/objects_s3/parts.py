"""A stream of bytes, cut into parts of one size. Nothing is copied until a part is sent."""

from collections import deque


class Parts:
    """What of a stream is held in memory: less than `size` bytes more than was added last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pieces: deque[memoryview] = deque()
        self._held = 0

    def add(self, piece: bytes) -> None:
        """The next bytes."""
        if piece:
            self._pieces.append(memoryview(piece))
            self._held += len(piece)

    def take(self) -> list[memoryview] | None:
        """The next part, of exactly `size` bytes; none until there is so much."""
        if self._held < self._size:
            return None
        part, missing = list[memoryview](), self._size
        while missing:
            piece = self._pieces.popleft()
            if len(piece) > missing:
                self._pieces.appendleft(piece[missing:])
                piece = piece[:missing]
            part.append(piece)
            missing -= len(piece)
        self._held -= self._size
        return part

    def rest(self) -> list[memoryview]:
        """What is left, shorter than a part."""
        part, self._held = list(self._pieces), 0
        self._pieces.clear()
        return part
