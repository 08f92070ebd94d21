"""From the documents of a source to the rows of train, validation and test."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.errors import UserError
from newsrec.safety.labels import BENIGN, CLASSES
from newsrec.safety.normalisation import normalise
from newsrec.safety.sources.documents import REASONS, Counts, Document, Draw, Row
from newsrec.safety.splits import (
    Quotas,
    fill_quotas,
    require_quotas,
    short_quotas,
)
from newsrec.safety.tables import RAW_SCHEMA, SPLITS
from newsrec.safety.xlsx import write_xlsx
from newsrec.texts.near_copies import cluster_near_copies

XLSX_COLUMNS = ("text_cn", "extracted_label")
# Rows kept of a label beyond its quotas, since of a cluster that fills one the rest is left out;
# more are kept, and the source read again, where these are too few.
_SURPLUS, _FEW = 0.1, 20


@dataclass(frozen=True)
class Extracted:
    """Rows by split, each with its cluster, and what became of all documents."""

    rows: dict[str, list[tuple[Row, int]]]
    counts: Counts

    def table(self, split: str) -> pa.Table:
        """The rows of a split: id, text, label, tags and cluster."""
        rows = self.rows[split]
        return pa.table(
            {
                "id": [row.id for row, _ in rows],
                "text": [row.text for row, _ in rows],
                "label": [row.label for row, _ in rows],
                "tags": [row.tags for row, _ in rows],
                "cluster": [cluster for _, cluster in rows],
            },
            schema=RAW_SCHEMA,
        )


def extract(
    read: Callable[[], Iterator[Document]],
    where: str,
    *,
    quotas: Quotas,
    multi_label: str,
    unknown_label: str,
    allow_fewer: bool,
    threshold: float,
    seed: int,
) -> Extracted:
    """Draw the rows of all splits together, by quotas, near copies never in two of them.

    The same seed gives the same rows whatever order `read` gives them in.

    Args:
        read: yields every document of the source once, anew at each call.
        where: the source, for errors.
        quotas: rows by split and label.
        multi_label: see `newsrec.safety.sources.documents.Draw`.
        unknown_label: see there.
        allow_fewer: whether a quota may be missed.
        threshold: see `newsrec.texts.near_copies`.
        seed: of the draws.

    Raises:
        UserError: no document can be used, a quota is not met, or a document is to be refused.
    """
    wanted = sum((Counter(quota) for quota in quotas.values()), Counter[str]())
    surplus = _SURPLUS
    while True:
        limits = {label: math.ceil(num * (1 + surplus)) + _FEW for label, num in wanted.items()}
        draw = Draw(limits, seed, multi_label, unknown_label)
        for document in tqdm(read(), desc="extract", unit=" documents", disable=None):
            draw.add(document)
        rows = draw.rows()
        labels = [row.label for row in rows]
        # In the spelling that the model reads: two spellings of one text are near copies.
        texts = [normalise(row.text) for row in rows]
        clusters = cluster_near_copies(texts, threshold, seed).tolist()
        splits = fill_quotas(labels, clusters, quotas, seed)
        short = short_quotas(labels, splits, quotas)
        if all(draw.kept_all(label) for _, label in short):
            break
        surplus = 2 * surplus + 1
    if not rows:
        raise UserError(
            f"{where}: no document has a text and one of the classes of extract.quotas; expected "
            "some; check the names of the fields and the labels"
        )
    if not allow_fewer:
        require_quotas(short, quotas, draw.counts.seen, where)
    found: dict[str, list[tuple[Row, int]]] = {split: [] for split in SPLITS}
    for row, cluster, split in zip(rows, clusters, splits, strict=True):
        if split is not None:
            found[split].append((row, cluster))
    return Extracted(found, draw.counts)


def write_splits(extracted: Extracted, target: Path, *, with_xlsx: bool) -> None:
    """Write train, val and test into the folder `target`, as Parquet and as xlsx.

    Raises:
        UserError: a text that no xlsx cell can hold.
    """
    remedy = "set extract.write_xlsx to false (Parquet holds any text), or shorten it in the source"
    for split in SPLITS:
        pq.write_table(extracted.table(split), target / f"{split}.parquet")
        if with_xlsx:
            rows = ((row.text, row.label) for row, _ in extracted.rows[split])
            write_xlsx(target / f"{split}.xlsx", XLSX_COLUMNS, rows, remedy)


def figures(extracted: Extracted) -> dict[str, Any]:
    """What metrics/extract.json says of the rows and of all documents; keys that stay."""
    counts, sizes = extracted.counts, Counter[int]()
    of_splits: dict[str, dict[str, int]] = {}
    for split, rows in extracted.rows.items():
        labels = Counter(row.label for row, _ in rows)
        of_splits[split] = {"num_rows": len(rows), **_by_label(labels)}
        sizes.update(cluster for _, cluster in rows)
    # Numbers without a label first: a file that begins with many Chinese words is binary to DVC,
    # which then takes no metrics from it.
    return {
        "share_benign_in_source": counts.seen[BENIGN] / counts.seen.total(),
        "num_unknown_labels": counts.unknown,
        "num_clusters": len(sizes),
        "num_near_copies": sum(size for size in sizes.values() if size > 1),
        "largest_cluster": max(sizes.values(), default=0),
        "refused": {
            "num_rows": counts.refused.total(),
            **{reason: counts.refused[reason] for reason in REASONS},
        },
        **of_splits,
        "source_rows": {"num_rows": counts.seen.total(), **_by_label(counts.seen)},
        "several_labels": {
            "num_rows": counts.several.total(),
            "skipped": counts.several["skipped"],
            **_by_label(counts.several),
        },
    }


def _by_label(counts: Mapping[str, int]) -> dict[str, int]:
    return {label: counts.get(label, 0) for label in CLASSES}
