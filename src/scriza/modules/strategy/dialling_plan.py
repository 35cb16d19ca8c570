"""Phone numbers as people write them, in E.164: the one file of this module that knows `phonenumbers`.

https://github.com/google/libphonenumber. Its tables are read when the first number needs them.
"""


def e164(written: str, region: str) -> str | None:
    """``020 7946 0958`` in the region GB (ISO 3166-1) as ``+442079460958``.

    None for what is no number there, or has an extension, of which E.164 cannot tell.
    """
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_possible_number, parse

    try:
        parsed = parse(written.removeprefix("tel:"), region or None)
    except NumberParseException:
        return None
    if parsed.extension or not is_possible_number(parsed):
        return None
    return str(format_number(parsed, PhoneNumberFormat.E164))
