"""An ordinary user on a machine that has the service: whose state is meant, and what happens."""

from collections.abc import Iterator

import pytest

from tests.e2e.machine import booted
from tests.e2e.product import Product

pytestmark = pytest.mark.needs("root", "systemd")
USER = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "env", "HOME=/run/home"]


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with booted() as machine:
        one = Product(machine, "rollcall")
        one.install("ROLLCALL_FIRST_DELAY=1h\n")
        one.start()
        machine.run("install", "-d", "-o", "1234", "/run/home")
        yield one


def as_user(product: Product, *words: str) -> str:
    return product.machine.run(*USER, product.python, "-I", "-m", "agent", *words)


def test_a_users_wrap_says_that_nothing_is_reported_where_docker_env_is_for_root(product: Product) -> None:
    product.env.chmod(0o600)
    product.machine.run("rm", "-rf", "/run/home/.local")  # of another test, if that came first
    said = as_user(product, "wrap", "--", "echo", "the product")
    words = "this installation is not reported: only root may read /etc/rollcall/docker.env; to report it"
    assert said == f"rollcall: {words} as this machine's: sudo rollcall wrap\nthe product"
    assert not product.machine.path("/run/home/.local").exists()
    assert "nothing that this user runs is reported" in as_user(product, "status")


def test_a_users_wrap_says_that_its_id_is_not_the_services(product: Product) -> None:
    product.env.chmod(0o644)
    said = as_user(product, "wrap", "--", "echo", "the product")
    assert "this run is reported under an id of your own user, not under the service's" in said
    assert "reported under an id of its own; the service keeps its state in /var/lib/rollcall" in as_user(
        product, "status"
    )


def test_a_user_who_may_not_read_the_write_key_is_told_that_nothing_can_be_sent(product: Product) -> None:
    before = product.env.read_text()
    key = product.env.with_name("write-key")
    key.write_text("secret")
    key.chmod(0o600)
    product.env.write_text(
        f"{before}ROLLCALL_ENDPOINT=http://127.0.0.1:9\nROLLCALL_WRITE_KEY_FILE=/etc/rollcall/write-key\n"
    )
    product.env.chmod(0o644)
    said = as_user(product, "wrap", "--", "true")
    assert (
        "it is recorded, but cannot be sent yet: ROLLCALL_WRITE_KEY_FILE (/etc/rollcall/docker.env:3)" in said
    )
    assert "last error    ROLLCALL_WRITE_KEY_FILE (/etc/rollcall/docker.env:3)" in as_user(product, "status")
    assert "cannot be sent" not in product.verb("wrap", "--", "true")
    key.unlink()
    product.env.write_text(before)


@pytest.mark.parametrize("words", [("wrap", "--", "true"), ("status",)])
def test_root_is_told_nothing_of_the_kind(product: Product, words: tuple[str, ...]) -> None:
    said = product.verb(*words)
    assert "own user" not in said
    assert "only root may read" not in said
