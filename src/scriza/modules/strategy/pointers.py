"""JSON pointers (RFC 6901)."""


def below(pointer: str, *keys: str | int) -> str:
    """The pointer to what `keys` lead to from `pointer`."""
    return pointer + "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in keys)


def keys_of(pointer: str) -> list[str]:
    """The keys that a pointer is made of."""
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
