"""Currencies by ISO 4217."""

_HUNDREDTHS = 2
_DECIMALS = (
    dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
    | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
    | {"CLF": 4, "UYW": 4}
)
"""List one: the minor units of the currencies that don't have hundredths."""


def minor_digits(currency: str) -> int:
    """Decimals of a currency's minor unit: 2 for ``USD``, whose amounts are in cents, 0 for ``JPY``."""
    return _DECIMALS.get(currency, _HUNDREDTHS)
