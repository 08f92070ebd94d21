"""What tests of several engines share: a chat server, and settings of vLLM."""

import threading
from collections.abc import Iterator

import pytest

from newsrec.engines.settings import VllmSettings
from tests.engines.stub_server import Stub

# For tests that start vLLM itself.
VLLM = VllmSettings(
    dtype="float32",
    max_model_len=512,
    gpu_memory_utilization=0.3,
    cpu_kv_cache_gib=1,
    enforce_eager=True,
    batch_size=1000,
    seed=1,
)


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
