"""Bad input: one clear line that names file, line and remedy."""

import subprocess
from collections.abc import Callable
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
        (NEWS + NEWS.replace("N1", "N2 "), ["line 2", "news id 'N2 '", "U+0020 (SPACE)"]),
        (NEWS.replace("N1", "\u200bN1"), ["line 1", "U+200B (ZERO WIDTH SPACE) at place 1"]),
        (NEWS.replace("N1", "N1\u3164"), ["line 1", "U+3164 (HANGUL FILLER) at place 3"]),
        (NEWS.replace("N1", '"N1"'), ["line 1", "U+0022 (QUOTATION MARK) at place 1"]),
        (NEWS + "\n", ["line 2", "a blank line", "remove it"]),
        (NEWS + " \t \t\t\t\t\t\t\n", ["line 2", "a blank line"]),
        (NEWS.replace("title", "ti\0tle"), ["line 1", "a NUL byte at position 15"]),
        (NEWS.encode("utf-16"), ["UTF-16 text", "iconv -f UTF-16 -t UTF-8"]),
        (NEWS.encode("utf-16-le"), ["line 1", "a NUL byte", "UTF-16"]),
        (NEWS * 2, ["line 2", "'N1'", "already in line 1"]),
        (
            (NEWS + NEWS.replace("N1", "N2")).replace("\n", "\r"),
            ["2 rows that end in \\r alone (old Macintosh)", "tr '\\r' '\\n'"],
        ),
        (b"PK\x03\x04" + NEWS.encode(), ["a zip archive", "unpack it"]),
        (b"\x1f\x8b\x08" + NEWS.encode(), ["compressed by gzip", "gunzip"]),
        ("version https://git-lfs.github.com/spec/v1\n", ["Git LFS", "git lfs pull"]),
        (
            "news_id\tcategory\tsubcategory\ttitle\tabstract\turl\ttitle_entities\tae\n" + NEWS,
            ["line 1: a header", "sed -i 1d"],
        ),
        (
            "nid\tCategory\tSubCategory\tTitle\tAbstract\tURL\tEntities\tEntities\n" + NEWS,
            ["line 1: a header", "sed -i 1d"],
        ),
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
        (ROW.replace("U1", "U1 "), ["line 1", "user id 'U1 '", "U+0020 (SPACE) at place 3"]),
        (ROW + ROW.replace("U1", " U1"), ["line 2", "user id ' U1'", "at place 1"]),
        (ROW.replace("U1", "John S "), ["user id 'John S '", "U+0020 (SPACE) at place 7"]),
        (ROW.replace("U1", "U1\u00a0"), ["user id", "U+00A0 (NO-BREAK SPACE)"]),
        (ROW.replace("U1", "U\u200b1"), ["user id", "U+200B (ZERO WIDTH SPACE) at place 2"]),
        (ROW.replace("U1", "U1\ufeff"), ["user id", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"]),
        (ROW.replace("U1", "U1\u00ad"), ["user id", "U+00AD (SOFT HYPHEN)"]),
        (ROW.replace("U1", "U1\ufe0f"), ["user id", "U+FE0F (VARIATION SELECTOR-16)"]),
        (ROW.replace("U1", "U1\x07"), ["user id", "U+0007 (control character)"]),
        (ROW.replace("U1", "U1\0"), ["line 1", "a NUL byte"]),
        (ROW.replace("1\tU1", "1 \tU1"), ["impression id '1 '", "at place 2"]),
        (ROW.replace("1\tU1", "1 a\tU1"), ["impression id '1 a'", "U+0020 (SPACE) at place 2"]),
        (ROW.replace("N1 N2", "N1,N2"), ["history", "U+002C (COMMA)", "separated by spaces"]),
        (ROW.replace("N1 N2", "['N1' 'N2']"), ["history", "(LEFT SQUARE BRACKET) at place 1"]),
        (ROW.replace("N1 N2", "N1\u200b N2"), ["history", "U+200B (ZERO WIDTH SPACE) at place 3"]),
        (ROW.replace("N3-1 N4", "N3-1\u00a0N4"), ["candidates", "U+00A0 (NO-BREAK SPACE)"]),
        (ROW.replace("N3-1 N4", "N3-1,N4"), ["candidates", "U+002C (COMMA)"]),
        (ROW.replace("N4-0", "N4--1"), ["line 1", "'N4--1'", "-0 or -1"]),
        (ROW.replace("N4-0", "N4-1.0"), ["line 1", "'N4-1.0'"]),
        (ROW.replace("N3-1 N4-0", "a-b c-d"), ["'a-b'", "no '-', in the whole row"]),
        (ROW.replace("PM", "PM "), ["line 1", "'11/12/2019 2:14:46 PM '"]),
        (ROW.replace("PM", "pm"), ["line 1", "2:14:46 pm"]),
        (ROW.replace("2:14", "\u0662:14"), ["line 1", "month/day/year"]),
        (ROW.replace("11/12/2019 2:14:46 PM", "1573568086"), ["line 1", "1573568086"]),
        ("Impression_ID\tUser_ID\tTime\tHistory\tImpressions\n" + ROW, ["line 1: a header"]),
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


@pytest.mark.parametrize("name", ["Behaviors.tsv", "behaviors.tsv.gz", "BEHAVIORS.TSV"])
def test_a_file_of_a_similar_name_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(ROW)
    with pytest.raises(UserError, match=f"no such file; .*; found {name}: unpack or rename it"):
        list(read_behaviors(tmp_path / "behaviors.tsv"))


@pytest.mark.parametrize("hour", [0, 1, 11, 12, 13, 23])
def test_a_time_is_written_as_it_is_read(hour: int) -> None:
    time = datetime(2019, 1, 2, hour, 3, 4)
    assert parse_time(format_time(time), "here") == time


@pytest.mark.parametrize("user", ["U1", "John Smith", "用户1", "a-b_c.d", "O'Brien"])
def test_an_id_of_visible_characters_is_one(user: str, tmp_path: Path) -> None:
    (row,) = read_behaviors(behaviors_file(tmp_path, ROW.replace("U1", user)))
    assert row.user_id == user


def test_spaces_around_the_ids_of_a_list_separate_them(tmp_path: Path) -> None:
    path = behaviors_file(tmp_path, ROW.replace("N1 N2", " N1  N2 ").replace("-0\n", "-0 \n"))
    (row,) = read_behaviors(path)
    assert (row.history, row.candidates) == (("N1", "N2"), ("N3", "N4"))


def test_a_topic_with_a_space_behind_it_is_no_second_topic(tmp_path: Path) -> None:
    rows = NEWS + NEWS.replace("N1", "N2").replace("\tnews\t", "\t news \t")
    read = read_news(news_file(tmp_path, rows)).values()
    assert {row.category for row in read} == {"news"}


@pytest.mark.parametrize(
    ("damage", "remedy"),
    [
        (lambda text: text.replace(b"\n", b"\r\n"), "fix it with: "),
        (lambda text: b"\xef\xbb\xbf" + text, "fix it with: "),
        (lambda text: b"news_id\tcategory\tsubcategory\ttitle\t\t\t\t\n" + text, "with: "),
    ],
)
def test_the_remedy_works_also_where_a_path_has_spaces(
    damage: Callable[[bytes], bytes], remedy: str, tmp_path: Path
) -> None:
    (tmp_path / "my data").mkdir()
    path = news_file(tmp_path / "my data", damage(NEWS.encode()))
    with pytest.raises(UserError) as caught:
        read_news(path)
    subprocess.run(str(caught.value).split(remedy)[1], shell=True, check=True)
    assert path.read_bytes() == NEWS.encode()
