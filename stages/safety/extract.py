"""Extract labelled texts by quota, and lay them out as train, val and test.

Reads   params: extract; MongoDB, or the file or folder extract.path (by extract.source)
Writes  data/raw (train, val and test, as Parquet and xlsx), metrics/extract.json
Run     dvc repro extract      (alone: python -m stages.safety.extract)
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

from newsrec.files import atomic_folder, sha256_folder, write_json
from newsrec.params.load import load_params
from newsrec.running.stage import run_stage
from newsrec.safety.extraction import extract, figures, write_splits
from newsrec.safety.params import Params
from newsrec.safety.sources import tables
from newsrec.safety.sources.documents import Document
from newsrec.safety.sources.embedded import serve, stored
from newsrec.safety.sources.mongodb import Connection, Fields, find_password, read_documents
from newsrec.safety.sources.params import Extract

TARGET = Path("data/raw")
WORK = Path(".work/extract")


def main() -> None:
    settings = load_params(Params).extract
    with ExitStack() as stack:
        where, read = _source(settings, stack)
        extracted = extract(
            read,
            where,
            quotas=asdict(settings.quotas),
            multi_label=settings.multi_label,
            unknown_label=settings.unknown_label,
            allow_fewer=settings.allow_fewer,
            threshold=settings.near_copy_threshold,
            seed=settings.seed,
        )
    with atomic_folder(TARGET) as draft:
        write_splits(extracted, draft, with_xlsx=settings.write_xlsx)
    found = figures(extracted)
    data = f"{settings.source}, {sha256_folder(TARGET)[:12]}"
    drawn = f"near copies from {settings.near_copy_threshold} together, seed {settings.seed}"
    write_json(
        Path("metrics/extract.json"),
        {"source": settings.source, "protocol": {"data": data, "split": drawn}, **found},
    )
    if extracted.counts.refused:
        reasons = ", ".join(
            f"{n:,} {why.replace('_', ' ')}" for why, n in extracted.counts.refused.items()
        )
        print(f"extract: warning: documents refused: {reasons}", file=sys.stderr)
    summary = ", ".join(f"{len(rows):,} {split}" for split, rows in extracted.rows.items())
    print(f"extract: {summary} rows in {found['num_clusters']:,} clusters, in {TARGET}")


def _source(settings: Extract, stack: ExitStack) -> tuple[str, Callable[[], Iterator[Document]]]:
    """The source's name for people, and what reads it."""
    fields = Fields(settings.text_field, settings.label_field, settings.tags_field)
    if settings.source == "files":
        read = partial(tables.read_documents, text=fields.text, label=fields.label)
        return settings.path, partial(read, Path(settings.path), tags=fields.tags)
    if settings.source == "embedded":
        from newsrec.safety.corpus.synthetic import documents

        assert settings.corpus is not None
        shutil.rmtree(WORK, ignore_errors=True)  # of a run that was killed
        stack.callback(shutil.rmtree, WORK, ignore_errors=True)
        made = documents(settings.corpus.num_documents, settings.corpus.seed)
        connection = stack.enter_context(serve((stored(one, fields) for one in made), WORK))
    else:
        connection = Connection(
            settings.uri,
            settings.database,
            settings.collection,
            settings.user,
            settings.auth_source,
            find_password(settings.user),
        )
    return connection.shown, partial(read_documents, connection, fields)


if __name__ == "__main__":
    run_stage(main)
