"""How far a request came, as `doctor` tells it."""

import pytest
import requests

from agent.delivery.route import Route
from agent.delivery.steps import Step, steps_before_failure

URL = "https://t.example/v1/batch"


@pytest.mark.parametrize(
    ("proxy", "names"),
    [
        ("http://proxy.example:3128", ["proxy.example is known"]),
        ("proxy.example:3128", ["proxy.example is known"]),
        ("192.0.2.1:3128", []),
    ],
)
def test_a_proxy_of_the_environment_needs_no_scheme_to_be_named(proxy: str, names: list[str]) -> None:
    steps = steps_before_failure(requests.exceptions.ConnectTimeout(), URL, Route(proxy, "HTTPS_PROXY"))
    first = Step("proxy", "the one that HTTPS_PROXY names")
    assert steps == [first, *(Step("name", name) for name in names)]
