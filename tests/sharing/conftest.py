"""A project with something to share, and a server to share it on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sharing.project import configure, make_project
from tests.sharing.servers import s3_server


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as a run leaves it, not to be changed."""
    tree = tmp_path_factory.mktemp("made") / "newsrec"
    make_project(tree)
    return tree


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A project as a run leaves it, without a remote."""
    return Path(shutil.copytree(made, tmp_path / "newsrec", symlinks=True))


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder whose folders an S3 server has as buckets, and the server's URL."""
    folder = tmp_path_factory.mktemp("s3") / "buckets"
    folder.mkdir()
    with s3_server(folder) as url:
        yield folder, url


@pytest.fixture
def bucket(project: Path, buckets: tuple[Path, str]) -> Path:
    """The folder of an empty bucket, the project's remote."""
    folder, url = buckets
    name = f"bucket-{len(list(folder.iterdir()))}"
    (folder / name).mkdir()
    configure(project, url=f"s3://{name}/newsrec", endpointurl=url, verify="true")
    return folder / name


@pytest.fixture
def store(project: Path, tmp_path: Path) -> Path:
    """A folder, the project's remote, where it does not matter what kind of remote it is."""
    folder = tmp_path / "store"
    configure(project, url=str(folder), verify="true")
    return folder
