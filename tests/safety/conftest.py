"""A real server with a small collection."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.safety.sources.embedded import mongodb_python, serve, stored
from newsrec.safety.sources.mongodb import Connection, Fields
from tests.safety.planted import texts

FIELDS = Fields("text_cn", "n_labels", "tags")


@pytest.fixture(scope="session")
def server_python() -> Path:
    """The Python of the server's environment."""
    try:
        return mongodb_python()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def collection(
    server_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """600 documents, then some with several labels in each form, and one of another label."""
    documents = [stored(one, FIELDS) for one in texts(600, seed=5)]
    documents += [
        {"_id": "list", "text_cn": "列表", "n_labels": ["歧视", "暴恐"]},
        {"_id": "joined", "text_cn": "连写", "n_labels": "歧视,暴恐"},
        {"_id": "in_list", "text_cn": "列表里", "n_labels": ["正常", "歧视,暴恐"]},
        {"_id": "other", "text_cn": "其他", "n_labels": "广告"},
        {"_id": 7, "text_cn": 7, "n_labels": "正常"},
        {"text_cn": "_x000D_", "n_labels": "正常", "nested": {"label": "暴恐"}},
    ]
    with serve(documents, tmp_path_factory.mktemp("server")) as connection:
        yield connection
