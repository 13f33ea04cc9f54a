"""Where a stranger's URL may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezd.net.fetch.addresses import AddressRule

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:1.1.1.1", "64:ff9b::101:101"]  # fmt: skip
NOT_PUBLIC = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:101:101::1", "2002:a00:1::1",
    "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2001:10::1", "3fff::1", "5f00::1", "100::1", "fc00::1", "fd12:3456::1",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "", "localhost", "1.1.1", "0x7f000001", "2130706433", "127.1", "1.1.1.1 ",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address):
    assert AddressRule().permits(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address):
    assert not AddressRule().permits(address)


def test_what_the_person_allows():
    rule = AddressRule.of(["127.0.0.0/8", "fd00::/8"])
    assert rule.permits("127.0.0.1")
    assert rule.permits("::ffff:127.0.0.1")
    assert rule.permits("fd00::7")
    assert not rule.permits("10.0.0.1")
    assert not rule.permits("::1")
    with pytest.raises(ValueError, match="host bits"):
        AddressRule.of(["127.0.0.1/8"])


@given(st.ip_addresses(v=4))
def test_a_wrapped_address_is_never_more_public_than_itself(address):
    plain = AddressRule().permits(str(address))
    number = int(address)
    wrapped = [
        f"::ffff:{address}",
        f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
    ]
    for text in wrapped:
        assert plain or not AddressRule().permits(text), text


@given(st.text(max_size=50))
def test_any_text_is_judged(text):
    AddressRule().permits(text)
