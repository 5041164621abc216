"""What looks like an address is hidden, and what does not stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.base.personal import HIDDEN, mask_addresses, with_masked_names

LONG = 500_000


@pytest.mark.parametrize(
    "address",
    [
        *("ada@example.org", "ada.lovelace+x@sub.example.co.uk", "root@localhost", "ada%40example.org"),
        *("jürgen@münchen.de", "ada\uff20example.org", "ada@10.0.0.1", "ada@[10.0.0.1]", "O'Hara@example.ie"),
        *("203.0.113.9", "1.2.3.4", "010.001.002.003", "255.255.255.255"),
        *("2001:db8::1", "::1", "fe80::1", "::ffff:203.0.113.9", "2001:DB8:0:0:0:0:0:1"),
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "at {}.", "<{}>", "mail: {}, x", '("{}")', "({}, x)", "{};24", "[{}]:80"]
)
def test_an_address_is_hidden_wherever_it_stands(address: str, around: str) -> None:
    assert mask_addresses(around.format(address)) == around.format(HIDDEN)


@pytest.mark.parametrize(
    "text",
    [
        *("", "Installation Started", "@segment/analytics", "lodash@4.17.21", "a @ b", "5 % of 40", "x@"),
        *(
            "1.2.3",
            "v1.2.3.4",
            "1.2.3.4.5",
            "10.0.19045.3570",
            "256.1.1.1",
            "1.25 3.5 2.75",
            "Chrome/120.0.0.0",
        ),
        *(
            "0.0.0.0",
            "::",
            "12:34:56",
            "2026-11-20T10:00:00.000Z",
            "std::string",
            "a::before",
            "00:11:22:33:44:55",
        ),
    ],
)
def test_what_is_no_address_stays(text: str) -> None:
    assert mask_addresses(text) == text


@given(st.ip_addresses(), st.sampled_from(["{}", "from {} port", "[{}]"]))
def test_every_ip_address_is_hidden(address: object, around: str) -> None:
    text = around.format(address)
    shown = mask_addresses(text)
    assert shown == around.format(HIDDEN) or str(address).endswith(".0.0.0") or str(address) == "::"


@given(st.emails(), st.sampled_from(["{}", "Mail {} now", "<{}>"]))
def test_of_every_e_mail_address_no_domain_is_left(address: str, around: str) -> None:
    shown = mask_addresses(around.format(address))
    assert HIDDEN in shown
    assert f"@{address.rpartition('@')[2]}" not in shown


@given(st.text())
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask_addresses(mask_addresses(text)) == mask_addresses(text)


def test_names_that_look_alike_once_they_are_masked_take_no_values_place() -> None:
    roles = {"ann@example.org": 1, HIDDEN: 2, "bob@example.org": 3, f"{HIDDEN} 2": 4, "x": 5}
    shown = {HIDDEN: 1, f"{HIDDEN} 2": 2, f"{HIDDEN} 3": 3, f"{HIDDEN} 2 2": 4, "x": 5}
    assert with_masked_names(roles) == shown
    assert with_masked_names(shown) == shown


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["a{0} @", "@{0}@", "1.", "a.", "a@", "-", ":", "1:", "1.2.3.", "::ffff:1."])
def test_a_text_of_any_length_is_searched_once(text: str) -> None:
    """What takes the square of the length would take hours here."""
    for long in (text * LONG, "a" * LONG + text, f"{text}@" + "1." * LONG):
        assert len(mask_addresses(long)) <= len(long) + len(HIDDEN) * LONG
