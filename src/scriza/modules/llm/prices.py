"""What tokens cost: a table with a version, in micro-USD per million tokens, by kind of token."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from scriza.kernel.errors import BadInput
from scriza.ports.llm import ModelPrice

_OURS = Path(__file__).with_name("prices.json")

MicroUsd = Annotated[int, msgspec.Meta(ge=0)]


class _Tokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prompt: MicroUsd
    completion: MicroUsd
    cached_prompt: MicroUsd | None = None
    """As much as any other prompt token, when it is not given."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    models: dict[str, _Tokens]


class Prices:
    """Prices by the exact name of the model: what is not in the table has no price, because a guess would be billed."""

    def __init__(self, prices: Mapping[str, ModelPrice]) -> None:
        self._prices = dict(prices)

    def of(self, model: str) -> ModelPrice | None:
        """A model's price, with the version of the table that it is from."""
        return self._prices.get(model)

    def with_file(self, path: Path) -> "Prices":
        """These prices with those of a JSON file in front: ``{"version": "...", "models": {"name": {"prompt": ...}}}``.

        Raises BadInput for a file that is not such a table.
        """
        return Prices({**self._prices, **_read(path)})


@cache
def built_in() -> Prices:
    """The table that comes with Scriza: OpenAI's list prices for its chat models."""
    return Prices(_read(_OURS))


def _read(path: Path) -> dict[str, ModelPrice]:
    try:
        table = msgspec.json.decode(path.read_bytes(), type=_Table)
    except OSError as error:
        raise BadInput(f"the price table {path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"the price table {path} is not one: {error}") from None
    return {
        model: ModelPrice(
            prompt=tokens.prompt,
            cached_prompt=tokens.prompt if tokens.cached_prompt is None else tokens.cached_prompt,
            completion=tokens.completion,
            table=table.version,
        )
        for model, tokens in table.models.items()
    }
