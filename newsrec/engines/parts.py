"""Answers of completed batches, stored as they arrive so that a killed run can reuse them.

A part is a Parquet file with the request's schema. It is either complete or absent, and contains a
digest of everything that its answers depend on. Batches are answered independently, so the parts of
two runs make the same table as those of a single run.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from newsrec.engines.request import Choices, ClassRequest, Request, batched
from newsrec.engines.settings import OnnxSettings, TransformersSettings, VllmSettings
from newsrec.files import atomic_file, sha256_folder
from newsrec.models.folders import base_of

DIGEST = b"newsrec.digest"  # in the metadata of a part


@dataclass(frozen=True)
class Batch:
    """Prompts that are answered together, and the file for their answers.

    Attributes:
        ids: lists of token ids.
        part: the file to write.
        digest: a digest of the prompts and everything else that their answers depend on.
        choices: the choices of each prompt; empty if all answers are free text.
    """

    ids: pa.LargeListArray
    part: Path
    digest: bytes
    choices: Sequence[Choices] = ()


class Parts:
    """The parts of one table of answers, in a folder."""

    def __init__(
        self,
        folder: Path,
        settings: VllmSettings | TransformersSettings | OnnxSettings,
        model: Path,
        request: Request | ClassRequest,
        versions: Sequence[str],
    ) -> None:
        """Answers from another model, other settings or other versions are not reused.

        Args:
            folder: the folder of the parts, created if it is missing.
            settings: the settings of the engine.
            model: folder of the model; all its files, and those of an adapter's base, count.
            request: the prompts and the requested outputs.
            versions: the versions of the software that computes the answers.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._request, self._num_batches = folder, request, 0
        weights = [sha256_folder(one) for one in (model, base_of(model)) if one is not None]
        what = [type(settings).__name__, asdict(settings), *weights, *versions]
        self._identity = json.dumps([*what, *request.identity], sort_keys=True)

    def are_stored(self) -> bool:
        """Whether there is any part, of this request or of another one."""
        return any(self._folder.glob("*.parquet"))

    def missing(self, size: int) -> Iterator[Batch]:
        """The request's prompts in batches of `size`, without batches that are answered."""
        self._num_batches = 0
        request = self._request
        of_all = request.choices if isinstance(request, Request) else ()
        for ids in batched(request.prompts.token_ids(), size):
            start = self._num_batches * size
            choices = of_all[start : start + size]
            part = self._folder / f"{self._num_batches:06}.parquet"
            digest = self._digest(ids, choices)
            if _digest_of(part) != digest:
                yield Batch(ids, part, digest, choices)
            self._num_batches += 1

    def write(self, batch: Batch, answers: pa.Table) -> None:
        """Store the answers of one batch."""
        with atomic_file(batch.part) as draft:
            pq.write_table(answers.replace_schema_metadata({DIGEST: batch.digest}), draft)

    def join(self, target: Path) -> None:
        """Write the answers of all batches of the last iteration to `target`, in order."""
        schema = self._request.schema
        with atomic_file(target) as draft, pq.ParquetWriter(draft, schema) as writer:
            for number in range(self._num_batches):
                part = pq.read_table(self._folder / f"{number:06}.parquet")
                writer.write_table(part.replace_schema_metadata())

    def _digest(self, ids: pa.LargeListArray, choices: Sequence[Choices]) -> bytes:
        digest = hashlib.sha256(self._identity.encode())
        for numbers in (ids.value_lengths(), ids.flatten()):
            digest.update(numbers.to_numpy().tobytes())
        if any(choices):
            digest.update(json.dumps(choices).encode())
        return digest.hexdigest().encode()


def _digest_of(part: Path) -> bytes | None:
    """The digest in a part; None if there is no readable part."""
    try:
        return (pq.read_schema(part).metadata or {}).get(DIGEST)
    except (OSError, pa.ArrowException):
        return None
