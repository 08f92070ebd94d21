"""A chat server that tests of the API engine share."""

import threading
from collections.abc import Iterator

import pytest

from tests.engines.stub_server import Stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server that runs until the test has ended."""
    with Stub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()
