"""From the rows as extracted to the rows that are trained on, scored and measured."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.safety.evasion import Sample, write_rewritten
from newsrec.safety.rows import Counts, check_rows, read_raw
from newsrec.safety.tables import SCHEMA, SPLITS


def prepare(
    raw: Path, target: Path, *, max_chars: int, num_evasion: int, seed: int
) -> dict[str, Any]:
    """Check and normalise every row, and rewrite some test rows by every trick.

    Args:
        raw: holds train.parquet, val.parquet and test.parquet, see `rows.RAW_SCHEMA`.
        target: an existing folder; gets the same with their normalised text, and evasion.parquet.
        max_chars: of a normalised text; the rest of a longer one is left out.
        num_evasion: test rows that are rewritten, at most; half of them 正常.
        seed: of their choice, and of the tricks.

    Returns:
        By split `Counts.figures`, and `evasion` with its number of rows and of rewritten texts.

    Raises:
        UserError: a fault in a file, see `read_raw` and `check_rows`; or a split without a row.
    """
    train, sample = Counts(), Sample(num_evasion, seed)
    figures: dict[str, Any] = {}
    for split in SPLITS:
        counts = train if split == "train" else Counts()
        seen = set() if split == "train" else train.texts
        path, first = raw / f"{split}.parquet", 0
        with (
            pq.ParquetWriter(target / path.name, SCHEMA, compression="zstd") as writer,
            tqdm(desc=f"checking {split}", unit=" rows", disable=None) as progress,
        ):
            for table in read_raw(path):
                checked, rows = check_rows(table, path, first, max_chars, counts, seen)
                writer.write_table(checked)
                if split == "test":
                    sample.add(rows)
                first += len(table)
                progress.update(len(table))
        if not counts.lengths:
            raise UserError(
                f"{path}: {first:,} rows, none with a visible character; expected labelled texts "
                "in every split; set extract.quotas, or correct the source, and run: dvc repro"
            )
        figures[split] = counts.figures()
    chosen = sample.rows()
    num = write_rewritten(chosen, target / "evasion.parquet", max_chars, seed)
    return {**figures, "evasion": {"num_rows": len(chosen), "num_rewritten": num}}
