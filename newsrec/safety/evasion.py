"""A sample of rows rewritten by every trick: what an evader could have written instead.

Half of the sample is 正常: whether a trick makes a harmless text look unsafe is the other half of
the question.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from newsrec.chat.text import plain_text
from newsrec.safety.labels import BENIGN
from newsrec.safety.normalisation import normalise
from newsrec.safety.rows import Row
from newsrec.safety.smallest import Smallest
from newsrec.safety.tricks import TRICKS, rewrite

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("label", pa.string()),
        ("cluster", pa.int64()),
        ("trick", pa.string()),
        ("text", pa.string()),
        ("normalised", pa.string()),
    ]
)


class Sample:
    """The rows of the smallest draws, half of them 正常; the same whatever order they come in."""

    def __init__(self, num: int, seed: int) -> None:
        self._num, self._seed = num, seed
        # By whether they are 正常; of equal draws the ids decide.
        self._halves = {half: Smallest[tuple[str, Row]](num) for half in (True, False)}

    def add(self, rows: Iterable[Row]) -> None:
        """Offer rows; at most `num` of either half are held."""
        for row in rows:
            digest = blake2b(f"{self._seed}:{row.id}".encode(), digest_size=8).digest()
            self._halves[row.label == BENIGN].add(int.from_bytes(digest), (row.id, row))

    def rows(self) -> list[Row]:
        """The sample, `num` rows or all there are; more of one half where the other is short."""
        benign, unsafe = (
            [row for _, (_, row) in self._halves[half].entries()] for half in (True, False)
        )
        num_benign = min(len(benign), max(self._num // 2, self._num - len(unsafe)))
        return benign[:num_benign] + unsafe[: self._num - num_benign]


def write_rewritten(rows: Sequence[Row], target: Path, max_chars: int, seed: int) -> int:
    """Write each row rewritten by each trick, without those of which nothing visible is left.

    Args:
        rows: to rewrite.
        target: the Parquet file.
        max_chars: of the normalised text, as of the rows themselves.
        seed: of what the tricks hide.

    Returns:
        The number of rows written.
    """
    num = 0
    with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
        for trick in tqdm(TRICKS, desc="rewriting", unit="trick", disable=None):
            written = []
            for row in rows:
                text = rewrite(row.text, trick, seed)
                normalised = normalise(text)[:max_chars].rstrip()
                if plain_text(normalised):
                    written.append((row.id, row.label, row.cluster, trick, text, normalised))
            columns = list(zip(*written, strict=True)) or [()] * len(SCHEMA)
            writer.write_table(pa.table(columns, schema=SCHEMA))
            num += len(written)
    return num
