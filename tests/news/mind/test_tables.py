"""Bad input: one clear line that names file, line and remedy."""

from datetime import datetime
from pathlib import Path

import pytest

from newsrec.errors import UserError
from newsrec.news.mind.tables import format_time, parse_time, read_behaviors, read_news

NEWS = "N1\tnews\tus\tA title\t\thttps://e.org\t[]\t[]\n"
ROW = "1\tU1\t11/12/2019 2:14:46 PM\tN1 N2\tN3-1 N4-0\n"


def news_file(folder: Path, text: str | bytes) -> Path:
    path = folder / "news.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def behaviors_file(folder: Path, text: str | bytes) -> Path:
    path = folder / "behaviors.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_quotes_and_na_and_empty_fields_are_text(tmp_path: Path) -> None:
    rows = 'N1\tnews\tus\t"Start\tNA\tu\t[]\t[]\nN2\tnews\tus\tnull\t\tu\t\t\n'
    news = read_news(news_file(tmp_path, rows))
    assert [row.title for row in news.values()] == ['"Start', "null"]


def test_a_row_is_read_as_it_stands(tmp_path: Path) -> None:
    (row,) = read_behaviors(behaviors_file(tmp_path, ROW))
    assert row.time == datetime(2019, 11, 12, 14, 14, 46)
    assert (row.history, row.candidates, row.labels) == (("N1", "N2"), ("N3", "N4"), (1, 0))


def test_an_empty_history_and_missing_labels_are_allowed(tmp_path: Path) -> None:
    path = behaviors_file(tmp_path, "1\tU1\t11/12/2019 2:14:46 PM\t\tN3 N4\n")
    (row,) = read_behaviors(path)
    assert (row.history, row.labels) == ((), None)


def test_carriage_returns_and_unicode_separators_inside_a_title_split_nothing(
    tmp_path: Path,
) -> None:
    text = "N1\tnews\tus\ta\u2028b\rc\x0bd\t\tu\t\t\n"
    assert len(read_news(news_file(tmp_path, text))) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (NEWS + "N2\tnews\tus\n", ["line 2", "3 tab-separated columns", "expected 8", "title"]),
        (NEWS + NEWS, ["line 2", "'N1'", "already in line 1", "remove"]),
        (NEWS.replace("\n", "\r\n"), ["line 1", "Windows", "sed -i"]),
        (NEWS.encode() + b"N2\tnews\tus\tcaf\xe9\t\tu\t\t\n", ["line 2", "0xe9", "UTF-8", "iconv"]),
        (b"\xef\xbb\xbf" + NEWS.encode(), ["line 1", "byte order mark", "sed -i"]),
        ("", ["empty", "fetch the data again"]),
        (NEWS.replace("N1\t", "\t"), ["line 1", "news id ''"]),
    ],
)
def test_bad_news_is_reported_with_file_line_and_remedy(
    text: str | bytes, words: list[str], tmp_path: Path
) -> None:
    path = news_file(tmp_path, text)
    with pytest.raises(UserError) as caught:
        read_news(path)
    for word in [str(path), *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROW + ROW.replace("N4-0", "N4-2"), ["line 2", "'N4-2'", "-0 or -1"]),
        (ROW + ROW.replace("N4-0", "N4"), ["line 2", "'N4'", "-0 or -1"]),
        (ROW.replace("N4-0", "-0"), ["line 1", "'-0'"]),
        (
            ROW.replace("11/12/2019", "2019-11-12"),
            ["line 1", "2019-11-12", "11/12/2019 2:14:46 PM"],
        ),
        (ROW.replace("11/12/2019", "13/45/2019"), ["line 1", "13/45/2019"]),
        (ROW.replace("2:14", "14:14"), ["line 1", "14:14:46 PM"]),
        (ROW.replace("N3-1 N4-0", ""), ["line 1", "no candidates"]),
        (ROW.replace("U1", ""), ["line 1", "user id ''"]),
        ("", ["empty"]),
        (ROW.replace("\n", "\r\n"), ["line 1", "Windows"]),
    ],
)
def test_bad_behaviors_are_reported_with_file_line_and_remedy(
    text: str, words: list[str], tmp_path: Path
) -> None:
    path = behaviors_file(tmp_path, text)
    with pytest.raises(UserError) as caught:
        list(read_behaviors(path))
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"behaviors\.tsv: no such file"):
        list(read_behaviors(tmp_path / "behaviors.tsv"))


@pytest.mark.parametrize("hour", [0, 1, 11, 12, 13, 23])
def test_a_time_is_written_as_it_is_read(hour: int) -> None:
    time = datetime(2019, 1, 2, hour, 3, 4)
    assert parse_time(format_time(time), "here") == time
