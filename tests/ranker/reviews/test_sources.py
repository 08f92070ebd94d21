"""The two files of a category: from a hub, resumed and checked; from a folder, never changed."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.ranker.reviews.sources import (
    check_category,
    fetch_huggingface_reviews,
    find_local,
    find_raw,
    lay_out,
)
from tests.hub_servers import COMMIT, Hub, serve_hugging_face, use_hugging_face

REPO, BELLS = "acme/reviews", "Bells"
RATINGS, METADATA = f"benchmark/5core/rating_only/{BELLS}.csv", f"raw/meta_categories/meta_{BELLS}"
HEADER = b"user_id,parent_asin,rating,timestamp\n"
RATINGS_TEXT = HEADER + b"AEX,0012345678,5.0,1628643414042\n" * 1000
METADATA_TEXT = b'{"parent_asin": "0012345678", "title": "Brass bell"}\n' * 500


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    files = {
        f"{RATINGS}.gz": RATINGS_TEXT,  # not compressed, as it may arrive
        f"{METADATA}.jsonl": METADATA_TEXT,
        "benchmark/5core/rating_only/Drums.csv": RATINGS_TEXT,
        "README.md": b"read me",
    }
    with serve_hugging_face(Hub(REPO, files)) as served:
        use_hugging_face(monkeypatch, served.url)
        yield served


def reported(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    return message


def fetched(work: Path, category: str = BELLS, revision: str = "main") -> tuple[Path, Path]:
    return fetch_huggingface_reviews(REPO, revision, category, work)


def test_the_named_files_alone_are_fetched_and_called_what_they_are(
    hub: Hub, tmp_path: Path
) -> None:
    files = fetched(tmp_path / "work")
    assert sorted({name for name, _ in hub.sent}) == [f"{RATINGS}.gz", f"{METADATA}.jsonl"]
    (tmp_path / "raw").mkdir()
    counts = lay_out(files, tmp_path / "raw", move=True)
    assert counts == {"num_ratings": 1000, "num_items": 500}
    assert (tmp_path / "raw/ratings.csv").read_bytes() == RATINGS_TEXT
    assert (tmp_path / "raw/meta.jsonl").read_bytes() == METADATA_TEXT
    assert find_raw(tmp_path / "raw") == (tmp_path / "raw/ratings.csv", tmp_path / "raw/meta.jsonl")


def test_what_is_compressed_stays_so(hub: Hub, tmp_path: Path) -> None:
    hub.files[f"{RATINGS}.gz"] = gzip.compress(RATINGS_TEXT, mtime=0)
    files = fetched(tmp_path / "work", revision=COMMIT)
    (tmp_path / "raw").mkdir()
    lay_out(files, tmp_path / "raw", move=True)
    assert gzip.decompress((tmp_path / "raw/ratings.csv.gz").read_bytes()) == RATINGS_TEXT


def test_a_download_goes_on_where_it_broke_off(hub: Hub, tmp_path: Path) -> None:
    hub.cut[f"{METADATA}.jsonl"] = 20_000
    assert "run again" in reported(lambda: fetched(tmp_path))
    fetched(tmp_path)
    first, second = hub.ranges(f"{METADATA}.jsonl")
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 20_000
    assert hub.ranges(f"{RATINGS}.gz") == [""]


def test_a_file_that_arrives_damaged_is_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    hub.damaged.add(f"{RATINGS}.gz")
    assert "arrived broken" in reported(lambda: fetched(tmp_path))
    hub.damaged.clear()
    assert fetched(tmp_path)[0].read_bytes() == RATINGS_TEXT


def test_an_unknown_category_is_answered_with_those_there_are(hub: Hub, tmp_path: Path) -> None:
    message = reported(lambda: fetched(tmp_path, "Horns"))
    assert "rating_only/Horns.csv" in message
    assert "one of: Bells, Drums" in message
    assert "one of: Bells" in reported(lambda: fetched(tmp_path, "Drums"))
    assert "Musical_Instruments" in reported(lambda: check_category("../etc"))


def test_a_hub_without_such_files_or_revision_is_reported(hub: Hub, tmp_path: Path) -> None:
    assert "revision 'v9'" in reported(lambda: fetched(tmp_path, revision="v9"))
    hub.files = {"README.md": b"read me"}
    assert "check fetch_reviews.repo" in reported(lambda: fetched(tmp_path))
    hub.refuse = 401
    assert "HF_TOKEN" in reported(lambda: fetched(tmp_path))


@pytest.mark.parametrize(
    ("ratings", "metadata"),
    [("ratings.csv", "meta.jsonl.gz"), ("Bells.csv.gz", "meta_Bells.jsonl")],
)
def test_files_of_ones_own_are_copied_and_never_changed(
    tmp_path: Path, ratings: str, metadata: str
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / ratings).write_bytes(RATINGS_TEXT)
    (own / metadata).write_bytes(METADATA_TEXT)
    (tmp_path / "raw").mkdir()
    lay_out(find_local(own, BELLS), tmp_path / "raw", move=False)
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == [
        *("meta.jsonl", "ratings.csv")
    ]
    assert (own / ratings).read_bytes() == RATINGS_TEXT
    assert (own / metadata).read_bytes() == METADATA_TEXT


def test_a_folder_without_one_file_of_each_is_reported(tmp_path: Path) -> None:
    assert "no such folder; set fetch_reviews.path" in reported(
        lambda: find_local(tmp_path / "x", BELLS)
    )
    (tmp_path / "Bells.csv").write_bytes(RATINGS_TEXT)
    message = reported(lambda: find_local(tmp_path, BELLS))
    assert "expected one of meta.jsonl, meta.jsonl.gz, meta_Bells.jsonl, meta_Bells" in message
    (tmp_path / "ratings.csv.gz").write_bytes(RATINGS_TEXT)
    assert "ratings.csv.gz and Bells.csv; expected one" in reported(
        lambda: find_local(tmp_path, BELLS)
    )
    assert "dvc repro fetch_reviews" in reported(lambda: find_raw(tmp_path / "y"))


def test_a_file_without_a_row_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(HEADER)
    (tmp_path / "meta.jsonl").write_bytes(METADATA_TEXT)
    assert "no row; expected ratings" in reported(
        lambda: lay_out(find_raw(tmp_path), tmp_path, move=False)
    )
