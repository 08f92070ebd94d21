"""External predictions, read from files."""

import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsrec.errors import UserError
from newsrec.news.external import read_external
from newsrec.news.mind.tables import read_behaviors
from newsrec.news.predictions import KEYS, SCHEMA, decisions, require_same_rows

Frame = pd.DataFrame


@pytest.fixture(scope="module")
def candidates(raw: Path) -> Frame:
    rows = [
        (row.impression_id, row.user_id, news_id, label)
        for row in read_behaviors(raw / "test/behaviors.tsv")
        for news_id, label in zip(row.candidates, row.labels or (), strict=True)
    ]
    table = pd.DataFrame(rows, columns=["impression_id", "user_id", "news_id", "label"])
    return table.astype({"label": "int8"})


@pytest.fixture(scope="module")
def scored(candidates: Frame) -> Frame:
    """The evaluation set with a score for each row, as good predictions hold them."""
    return candidates.assign(score=np.random.default_rng(1).random(len(candidates)).round(4))


def read(folder: Path, candidates: Frame, raw: Path) -> dict[str, Frame]:
    return read_external(folder, candidates, raw / "test/behaviors.tsv", ["base"])[0]


def fault(folder: Path, candidates: Frame, raw: Path) -> str:
    with pytest.raises(UserError) as caught:
        read(folder, candidates, raw)
    message = str(caught.value)
    assert "\n" not in message
    return message


def ranks(behaviors: Path) -> str:
    """Every candidate ranked by its place."""
    return "".join(
        f"{row.impression_id} {json.dumps(list(range(1, len(row.candidates) + 1)))}\n".replace(
            ", ", ","
        )
        for row in read_behaviors(behaviors)
    )


def test_both_formats_become_tables_under_their_names(
    candidates: Frame, raw: Path, tmp_path: Path
) -> None:
    candidates.assign(score=0.5).to_parquet(tmp_path / "theirs.parquet")
    behaviors = raw / "test/behaviors.tsv"
    with (tmp_path / "ranked.txt").open("w") as stream:
        for row in read_behaviors(behaviors):
            ranks = ",".join(str(rank + 1) for rank in range(len(row.candidates)))
            stream.write(f"{row.impression_id} [{ranks}]\n")
    (tmp_path / "README.md").write_text("no predictions")
    candidates.assign(score=2.5).to_parquet(tmp_path / "logits.parquet")
    tables, ranking_only = read_external(tmp_path, candidates, behaviors, ["base"])
    assert ranking_only == {"ranked", "logits"}
    assert sorted(tables) == ["logits", "ranked", "theirs"]
    first = tables["ranked"].drop_duplicates("impression_id")
    assert (first["score"] == 1).all()
    assert len(tables["ranked"]) == len(candidates)


@pytest.mark.parametrize("name", ["base", "a.b", "<b>", "protocol", "tuned_vs_base"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_name_that_cannot_be_one_is_refused(
    name: str, kind: str, candidates: Frame, raw: Path, tmp_path: Path
) -> None:
    candidates.assign(score=0.5).to_parquet(tmp_path / f"{name}.{kind}")
    with pytest.raises(UserError, match="rename the file"):
        read_external(tmp_path, candidates, raw / "test/behaviors.tsv", ["base"])


def test_every_format_is_read_in_any_case(scored: Frame, raw: Path, tmp_path: Path) -> None:
    scored.to_parquet(tmp_path / "a.PARQUET")
    scored.to_csv(tmp_path / "b.csv", index=False)
    scored.to_csv(tmp_path / "c.CSV", index=False)
    text = ranks(raw / "test/behaviors.tsv")
    (tmp_path / "d.TXT").write_text(text)
    for name in ("e.zip", "f.ZIP"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("prediction.txt", text)
    tables, ranking_only = read_external(tmp_path, scored, raw / "test/behaviors.tsv", ["base"])
    assert sorted(tables) == list("abcdef")
    assert ranking_only == set("def")
    for name in "abc":
        pd.testing.assert_frame_equal(tables[name], scored)
    for name in "ef":
        pd.testing.assert_frame_equal(tables[name], tables["d"])


@pytest.mark.parametrize(
    "name", ["theirs.tsv", "theirs.csv.gz", "theirs", "theirs.json", "theirs.parquet~", "a.pkl"]
)
def test_a_file_that_cannot_be_read_is_named(
    name: str, scored: Frame, raw: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("")
    assert f"{tmp_path / name}: cannot be read as predictions; expected files NAME.parquet" in (
        fault(tmp_path, scored, raw)
    )


def test_a_folder_is_named_and_what_dvc_and_git_put_there_is_not(
    scored: Frame, raw: Path, tmp_path: Path
) -> None:
    for name in (".gitignore", ".DS_Store", "README.md", "theirs.parquet.dvc"):
        (tmp_path / name).write_text("")
    assert read(tmp_path, scored, raw) == {}
    (tmp_path / "theirs.parquet").mkdir()
    assert "theirs.parquet: cannot be read as predictions" in fault(tmp_path, scored, raw)


def test_two_files_of_one_name_are_refused(scored: Frame, raw: Path, tmp_path: Path) -> None:
    scored.to_csv(tmp_path / "theirs.csv", index=False)
    scored.to_parquet(tmp_path / "theirs.parquet")
    assert "theirs.parquet: cannot become the predictor" in fault(tmp_path, scored, raw)


def as_strings(table: Frame) -> Frame:
    return table.astype(str)


def as_decimals(table: Frame) -> Frame:
    return table.assign(score=table["score"].map(lambda score: Decimal(str(score))))


def as_nullable(table: Frame) -> Frame:
    kinds = {"impression_id": "Int64", "user_id": "string", "label": "Int8", "score": "Float64"}
    return table.astype({"impression_id": int}).astype(kinds)


def as_categories(table: Frame) -> Frame:
    return table.astype(dict.fromkeys([*KEYS, "label"], "category"))


def as_truth(table: Frame) -> Frame:
    return table.astype({"label": bool})


def as_floats(table: Frame) -> Frame:
    return table.astype({"impression_id": float, "label": float})


def as_integers(table: Frame) -> Frame:
    return table.astype({"impression_id": "int64", "label": "int64"})


def as_bytes(table: Frame) -> Frame:
    return table.assign(news_id=table["news_id"].str.encode("utf-8"))


def as_index(table: Frame) -> Frame:
    return table.set_index(KEYS)


def shuffled(table: Frame) -> Frame:
    return table.sample(frac=1, random_state=1)


def reversed_columns(table: Frame) -> Frame:
    return table[table.columns[::-1]]


@pytest.mark.parametrize(
    "change",
    [
        as_strings,
        as_decimals,
        as_nullable,
        as_categories,
        as_truth,
        as_floats,
        as_integers,
        as_bytes,
        as_index,
        shuffled,
        reversed_columns,
        lambda table: shuffled(as_integers(table)),
        lambda table: table.assign(text=None, title="a", occurrence=1, row=2),
    ],
)
def test_a_parquet_of_the_same_values_is_the_same_table(
    change: Callable[[Frame], Frame], scored: Frame, raw: Path, tmp_path: Path
) -> None:
    change(scored).to_parquet(tmp_path / "theirs.parquet")
    found = read(tmp_path, scored, raw)["theirs"]
    pd.testing.assert_frame_equal(found, scored)
    require_same_rows(found, scored, "theirs")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("score", pa.decimal128(6, 4)),
        ("score", pa.large_string()),
        ("news_id", pa.dictionary(pa.int32(), pa.string())),
        ("impression_id", pa.uint32()),
        ("user_id", pa.large_string()),
        ("label", pa.uint64()),
        ("label", pa.bool_()),
    ],
)
def test_any_type_of_arrow_will_do(
    column: str, kind: pa.DataType, scored: Frame, raw: Path, tmp_path: Path
) -> None:
    table = pa.Table.from_pandas(scored, preserve_index=False)
    values = pa.array(as_decimals(scored)["score"]) if pa.types.is_decimal(kind) else table[column]
    if column == "impression_id":
        values = pa.array(scored["impression_id"].astype(int))
    place = table.column_names.index(column)
    values = values.cast(kind) if not pa.types.is_dictionary(kind) else values.dictionary_encode()
    pq.write_table(table.set_column(place, column, values), tmp_path / "theirs.parquet")
    pd.testing.assert_frame_equal(read(tmp_path, scored, raw)["theirs"], scored)


@pytest.mark.parametrize(
    "write",
    [
        lambda table, path: table.to_csv(path, index=False),
        lambda table, path: table.to_csv(path),
        lambda table, path: shuffled(table).to_csv(path, index=False),
        lambda table, path: table.to_csv(path, index=False, lineterminator="\r\n"),
        lambda table, path: table.to_csv(path, index=False, encoding="utf-8-sig"),
        lambda table, path: table.to_csv(path, index=False, quoting=1),
        lambda table, path: as_truth(table).to_csv(path, index=False),
        lambda table, path: (
            as_floats(table)[[*KEYS, "score", "label"]]
            .astype({"impression_id": int})
            .to_csv(path, index=False)
        ),
        lambda table, path: path.write_text(
            table.to_csv(index=False).replace(",", ", ").replace("\n", "\n\n")
        ),
    ],
)
def test_a_csv_of_the_same_values_is_the_same_table(
    write: Callable[[Frame, Path], object], scored: Frame, raw: Path, tmp_path: Path
) -> None:
    write(scored, tmp_path / "theirs.csv")
    pd.testing.assert_frame_equal(read(tmp_path, scored, raw)["theirs"], scored)


def changed(row: int, column: str, value: object) -> Callable[[Frame], Frame]:
    def change(table: Frame) -> Frame:
        table = table.astype({column: object})
        table.iloc[row, list(table.columns).index(column)] = value
        return table

    return change


FAULTS = [
    (changed(5, "score", None), 5, "a score that is no finite number"),
    (changed(5, "score", np.nan), 5, "a score that is no finite number"),
    (changed(5, "score", np.inf), 5, "a score that is no finite number"),
    (changed(0, "score", -np.inf), 0, "a score that is no finite number"),
    (changed(5, "label", 2), 5, "a label other than 0 and 1"),
    (changed(5, "label", None), 5, "a label other than 0 and 1"),
    (changed(5, "label", 0.5), 5, "a label other than 0 and 1"),
    (changed(7, "news_id", "N0"), 7, "news_id 'N0' is not in the evaluation set"),
    (changed(7, "user_id", "U0"), 7, "is not in the evaluation set"),
    (changed(7, "user_id", "U1 "), 7, "user_id 'U1 '"),
    (lambda table: pd.concat([table, table.iloc[[3]]], ignore_index=True), -1, "occurs twice"),
    (lambda table: pd.concat([table.iloc[:9], table.iloc[8:]], ignore_index=True), 9, "twice"),
]


@pytest.mark.parametrize(("change", "row", "words"), FAULTS)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_wrong_row_is_reported_with_its_number(
    kind: str,
    change: Callable[[Frame], Frame],
    row: int,
    words: str,
    scored: Frame,
    raw: Path,
    tmp_path: Path,
) -> None:
    table = change(scored)
    row = len(table) - 1 if row == -1 else row
    if kind == "csv":
        table.to_csv(tmp_path / "theirs.csv", index=False)
        where = f"theirs.csv, line {row + 2}: "
    else:
        table.to_parquet(tmp_path / "theirs.parquet")
        where = f"theirs.parquet, row {row} (the first is 0): "
    message = fault(tmp_path, scored, raw)
    assert where in message
    assert words in message


@pytest.mark.parametrize("score", ["high", "0,5", "nan", "inf", "-Infinity", "1e999", "", "0.5.1"])
def test_text_that_is_no_finite_number_is_reported_with_its_row(
    score: str, scored: Frame, raw: Path, tmp_path: Path
) -> None:
    changed(4, "score", score)(scored.astype({"score": str})).to_parquet(tmp_path / "a.parquet")
    message = fault(tmp_path, scored, raw)
    assert "a.parquet, row 4 (the first is 0): a score that is no finite number" in message
    assert f"({score!r})" in message


@pytest.mark.parametrize(
    "scores",
    [
        pd.Series(pd.Timestamp("2019-11-15")),
        pd.Series([[0.5]]),
        pd.Series([{"yes": 0.5}]),
        pd.Series([pd.Timedelta(1, "s")]),
        pd.Series([b"half"]),
    ],
)
def test_scores_of_another_kind_are_refused(
    scores: pd.Series, scored: Frame, raw: Path, tmp_path: Path
) -> None:
    repeated = scores.loc[[0] * len(scored)].reset_index(drop=True)
    scored.assign(score=repeated).to_parquet(tmp_path / "a.parquet")
    assert "row 0 (the first is 0): a score that is no finite" in fault(tmp_path, scored, raw)


def test_another_label_than_the_evaluation_sets_is_reported(
    scored: Frame, raw: Path, tmp_path: Path
) -> None:
    label = int(scored["label"].iloc[6])
    changed(6, "label", 1 - label)(scored).astype({"label": int}).pipe(shuffled).to_csv(
        tmp_path / "theirs.csv", index=False
    )
    lines = (tmp_path / "theirs.csv").read_text().splitlines()
    key = ",".join(scored[KEYS].iloc[6])
    line = next(number for number, text in enumerate(lines, start=1) if text.startswith(key))
    message = fault(tmp_path, scored, raw)
    assert f"theirs.csv, line {line}: label {1 - label} for" in message
    assert f"expected {label} as in the evaluation set" in message


def test_a_missing_row_is_named_with_how_many_are_missing(
    scored: Frame, raw: Path, tmp_path: Path
) -> None:
    scored.drop(index=[11, 12]).to_parquet(tmp_path / "theirs.parquet")
    message = fault(tmp_path, scored, raw)
    assert f"no row for impression_id {scored['impression_id'][11]!r}" in message
    assert f"news_id {scored['news_id'][11]!r}" in message
    assert f"expected all {len(scored):,} of the evaluation set, 2 are missing" in message
    scored.iloc[:0].to_csv(tmp_path / "empty.csv", index=False)
    assert f"empty.csv: no row for impression_id {scored['impression_id'][0]!r}" in (
        fault(tmp_path, scored, raw)
    )


def test_news_that_an_impression_shows_twice_keeps_its_rows_in_order(
    scored: Frame, raw: Path, tmp_path: Path
) -> None:
    twice = pd.concat([scored, scored.iloc[[3]].assign(score=0.125)], ignore_index=True)
    twice.to_parquet(tmp_path / "theirs.parquet")
    pd.testing.assert_frame_equal(read(tmp_path, twice, raw)["theirs"], twice)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column impression_id"),
        ("\n", "no column impression_id"),
        ("1,U1,N1,0,0.5\n", "no column impression_id"),
        ("impression_id;user_id;news_id;label;score\n", "found ['impression_id;user_id;"),
        ("impression_id,user_id,news_id,label\n", "no column score"),
        ("impression_id,user_id,news_id,label,score,score\n", "two columns score"),
        ("impression_id,user_id,news_id,label,score\n1,U1,N1,0\n", "line 2: 4 fields; expected 5"),
        ("impression_id,user_id,news_id,label,score\n1,U,N,0,0,5\n", "line 2: 6 fields"),
        ("impression_id,user_id,news_id,label,score\n\n,U,N,0,x\n", "line 3: a score that is no"),
        ("impression_id,user_id,news_id,label,score\n\n,U,N,0,1\n", "line 3: impression_id ''"),
    ],
)
def test_a_csv_that_is_none_is_reported(
    text: str, words: str, scored: Frame, raw: Path, tmp_path: Path
) -> None:
    (tmp_path / "theirs.csv").write_text(text)
    assert words in fault(tmp_path, scored, raw)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_csv_in_another_encoding_is_reported(
    encoding: str, scored: Frame, raw: Path, tmp_path: Path
) -> None:
    scored.assign(title="é").to_csv(tmp_path / "theirs.csv", index=False, encoding=encoding)
    assert "theirs.csv: not a CSV file in UTF-8" in fault(tmp_path, scored, raw)


def test_what_a_model_of_ours_wrote_decides_and_a_lone_column_text_does_not(
    scored: Frame, raw: Path, tmp_path: Path
) -> None:
    written = scored.assign(p_yes=0.5, p_no=0.5, answer_mass=1.0, text="No.")
    written.loc[0, "text"] = None
    written.to_parquet(tmp_path / "ours.parquet")
    scored.assign(text="a title").to_parquet(tmp_path / "theirs.parquet")
    tables = read(tmp_path, scored, raw)
    assert list(tables["theirs"].columns) == SCHEMA.names
    assert list(decisions(tables["ours"])[:2]) == [pd.NA, False]
    assert decisions(tables["theirs"]).notna().all()
