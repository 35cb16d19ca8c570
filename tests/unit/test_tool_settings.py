"""Where tools may be, as people write it: what makes no sense is told by the setting's name, and never with a token."""

import pytest

from scriza.factories.tools import tool_caller
from scriza.settings import BadSettings, load


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"tool_hosts": "https://crm.example.com/x"}, "SCRIZA_TOOL_HOSTS"),
        ({"tool_hosts": "a b"}, "SCRIZA_TOOL_HOSTS"),
        ({"tool_private_hosts": "*"}, "SCRIZA_TOOL_PRIVATE_HOSTS: name the hosts"),
        ({"tool_private_hosts": "10.0.0.0/8"}, "SCRIZA_TOOL_PRIVATE_HOSTS"),
        ({"tool_tokens": "CRM=s3cret"}, "SCRIZA_TOOL_TOKENS"),
        ({"tool_tokens": "CRM@crm.example.com"}, "SCRIZA_TOOL_TOKENS"),
        ({"tool_tokens": "CRM@crm.example.com=two words s3cret"}, "SCRIZA_TOOL_TOKENS"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told(settings: dict[str, str], says: str) -> None:
    with pytest.raises(BadSettings, match=says) as raised:
        tool_caller(load(**settings))
    assert "s3cret" not in str(raised.value)


async def test_what_makes_sense_is_taken() -> None:
    caller = tool_caller(
        load(
            tool_hosts="crm.example.com, *.example.org, https://a.example:8443, *",
            tool_private_hosts="http://crm.internal:8080,10.0.0.7",
            tool_tokens="CRM@crm.example.com=s3cret, CAL@10.0.0.7=other",
        )
    )
    await caller.close()
