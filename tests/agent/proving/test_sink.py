"""What the endpoint of a proof keeps."""

import socket
from urllib.parse import urlsplit

import pytest

from agent.proving.sink import LOCAL, Sink
from tests.wait import until

BODY = b'{"batch": [{"event": "A"}]}'


@pytest.mark.parametrize("path", ["/v1/batch", f"/v1/bundles?offset=0&size={len(BODY)}"])
def test_a_body_whose_sender_was_ended_is_none(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Sink()
    ended: list[object] = []
    close = there._server.shutdown_request

    def note(one: socket.socket) -> None:
        close(one)
        ended.append(one)

    monkeypatch.setattr(there._server, "shutdown_request", note)

    def post(sent: bytes) -> None:
        before = len(ended)
        with socket.create_connection((LOCAL, urlsplit(there.endpoint).port or 0)) as wire:
            wire.sendall(f"POST {path} HTTP/1.0\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + sent)
            wire.shutdown(socket.SHUT_WR)
            wire.recv(4096)
        until(lambda: len(ended) > before)

    for cut in (0, 1, len(BODY) - 1):
        post(BODY[:cut])
    assert (there.events(), there.bundles) == ([], 0)
    post(BODY)
    assert len(there.events()) + there.bundles == 1
