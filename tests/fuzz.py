"""Mutated files for every reader of files from outside; run by `make fuzz`.

python -m tests.fuzz [--files 100000] [--seed 1]

Only `UserError` may leave a reader, and memory stays bounded; what `fetch_mind` accepts goes on to
`preprocess` now and then. A file that breaks this is kept in .work/fuzz.
"""

import argparse
import faulthandler
import io
import random
import shutil
import signal
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import pandas as pd

from newsrec.errors import UserError
from newsrec.news.external import read_external
from newsrec.news.leaderboard.submission import validate_submission
from newsrec.news.mind.samples import preprocess
from newsrec.news.mind.sources import split_folders
from newsrec.news.mind.synthetic import write_synthetic
from newsrec.news.mind.tables import read_behaviors
from tests import ROOT

MAX_MIB = 512  # above what the process had before
_MEMORY = Path("/dev/shm")
_SECONDS = 60  # of one file; a hang would be hours
# A case: writes one mutated file, and gives it with what is to be done with it.
Case = Callable[[random.Random], tuple[Path, Callable[[], None]]]

# Pieces that have a meaning somewhere.
WORDS = [
    *(
        b"\t",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b"  ",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b",",
    ),
    *(
        b"-",
        b"--",
        b"-1",
        b"-0",
        b"--1",
        b"-2",
        b"N1",
        b"N1-1",
        b"N1 ",
        b"U1",
        b"NA",
        b"nan",
        b"inf",
    ),
    *(b"1e400", b"-1", b"0", b"9" * 5000, b"0.5", b"True", b"None", b'"', b"'", b"[", b"]", b"[1]"),
    *(b"{", b"}", b"{}", b"[[[[", b"1,2", b";", b"13/45/2019", b"2/29/2019 0:00:00 AM"),
    *(
        b"12/31/9999 11:59:59 PM",
        b"0/0/0000 0:00:00 AM",
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"\\",
        b"\\u0000",
    ),
    *(char.encode() for char in "\u200b\u202e\u2028\u0085\ufeff\ufe0f\u0301\u3164\U000e0061🏴é٣"),
    *(b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"<|im_end|>", b"{{idx}}", b"impression_id", b"score"),
    *(b"impression_id,user_id,news_id,label,score\n", b"news_id\tcategory\tsubcategory\ttitle"),
]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one to four changes."""
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        data = rng.choice(_CHANGES)(data, rng)
    return data


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _piece(data: bytes, rng: random.Random) -> tuple[int, int]:
    """A piece between two separators, as a field or a line is, or any."""
    start, end = sorted((_place(data, rng), _place(data, rng)))
    if rng.random() < 0.7:
        separator = rng.choice([b"\t", b"\n", b" ", b","])
        start = data.rfind(separator, 0, start) + 1
        found = data.find(separator, start)
        end = len(data) if found < 0 else found
    return start, end


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.choice(WORDS) + data[at:]


def _replace(data: bytes, rng: random.Random) -> bytes:
    start, end = _piece(data, rng)
    return data[:start] + rng.choice(WORDS) + data[end:]


def _delete(data: bytes, rng: random.Random) -> bytes:
    start, end = _piece(data, rng)
    return data[:start] + data[end:]


def _flip(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _double(data: bytes, rng: random.Random) -> bytes:
    start, end = _piece(data, rng)
    return data[:end] + data[start:end] + data[end:]


def _move(data: bytes, rng: random.Random) -> bytes:
    start, end = _piece(data, rng)
    rest, at = data[:start] + data[end:], _place(data[end - start :], rng)
    return rest[:at] + data[start:end] + rest[at:]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def _swell(data: bytes, rng: random.Random) -> bytes:
    start, end = _piece(data, rng)
    piece = data[start:end][:64] or rng.choice(WORDS)
    return data[:end] + piece * rng.choice([100, 1000, 5000]) + data[end:]


_CHANGES: list[Callable[[bytes, random.Random], bytes]] = [
    *(_insert, _replace, _delete, _flip, _double, _move, _insert, _replace, _delete, _flip),
    *(_cut, _swell),
]


def mind(folder: Path) -> Case:
    """A file of a folder of MIND files: `fetch_mind`, and now and then `preprocess`."""
    write_synthetic(folder / "to_split", num_users=5, num_news=15, num_days=4, seed=1)
    split_folders(folder / "to_split", folder / "whole", "by_time", 1)
    whole = {path: path.read_bytes() for path in sorted(folder.glob("*/*/*.tsv"))}
    made, changed = folder / "made", list[Path]()

    def case(rng: random.Random) -> tuple[Path, Callable[[], None]]:
        for path in changed:
            path.write_bytes(whole[path])
        shutil.rmtree(made, ignore_errors=True)
        path = rng.choice(list(whole))
        changed[:] = [path]
        path.write_bytes(mutated(whole[path], rng))
        rule, goes_on = rng.choice(["by_time", "by_user"]), rng.random() < 0.1

        def check() -> None:
            split_folders(path.parents[1], made / "raw", rule, 1)
            if goes_on:
                _preprocess(made / "raw", made / "processed")

        return path, check

    return case


def predictions(folder: Path) -> Case:
    """External predictions of each kind, and the leaderboard's file."""
    mind(folder / "mind")
    _preprocess(folder / "mind/whole", folder / "processed")
    behaviors, outside = folder / "mind/whole/test/behaviors.tsv", folder / "outside"
    outside.mkdir()
    keys = ["impression_id", "user_id", "news_id", "label"]
    candidates = pd.read_parquet(folder / "processed/candidates_test.parquet")[keys]
    table = candidates.assign(score=0.5, p_yes=0.5, p_no=0.5, answer_mass=0.9, text="Yes.")
    table.to_parquet(folder / "b.parquet", index=False, compression=None)
    ranks = ""
    for row in read_behaviors(behaviors):
        places = ",".join(str(place + 1) for place in range(len(row.candidates)))
        ranks += f"{row.impression_id} [{places}]\n"
    whole = {
        "a.csv": table[[*keys, "score"]].to_csv(index=False).encode(),
        "b.parquet": (folder / "b.parquet").read_bytes(),
        "c.txt": ranks.encode(),
        "d.zip": zipped(ranks.encode()),
        "e.zip": ranks.encode(),
    }

    def case(rng: random.Random) -> tuple[Path, Callable[[], None]]:
        for path in outside.iterdir():
            path.unlink()
        name = rng.choice(list(whole))
        data = mutated(whole[name], rng)
        path = outside / name
        path.write_bytes(zipped(data) if name == "e.zip" else data)

        def check() -> None:
            if path.suffix in (".txt", ".zip"):
                validate_submission(path, behaviors)
            read_external(outside, candidates, behaviors, ["base"])

        return path, check

    return case


def _preprocess(raw: Path, target: Path) -> None:
    target.mkdir(parents=True)
    with redirect_stderr(io.StringIO()):  # its progress
        preprocess(
            raw, target, feedback="earlier", num_history=5, num_feedback=3, target="sampled",
            positive_rate=0.5, max_samples={"train": None, "val": None}, test_candidates="all",
            num_val_impressions=2, num_test_impressions=None, seed=1,
        )  # fmt: skip


def zipped(data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("prediction.txt", data)
    return sink.getvalue()


READERS: dict[str, Callable[[Path], Case]] = {"mind": mind, "predictions": predictions}


def fuzz(
    name: str, num: int, seed: int, folder: Path, kept: Path, seconds_a_file: int = 0
) -> tuple[Counter[str], int]:
    """Give a reader `num` mutated files.

    Args:
        name: of the reader.
        num: of files.
        seed: of the mutations.
        folder: for the files.
        kept: for a file on which the reader fails.
        seconds_a_file: after which SIGALRM is sent, which the caller handles; 0: never.

    Returns:
        How many were accepted and refused, and the peak of memory in MiB above what it was before.

    Raises:
        AssertionError: anything else than a `UserError`, or too much memory; the file is then in
            `kept`.
    """
    case = READERS[name](folder / name)
    counts: Counter[str] = Counter()
    start, before = time.monotonic(), _memory(reset=True)
    peak = 0
    for number in range(num):
        path, check = case(random.Random(f"{seed}:{name}:{number}"))
        signal.alarm(seconds_a_file)
        try:
            check()
            counts["accepted"] += 1
        except UserError:
            counts["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{_keep(path, kept, number)}: {error!r}") from error
        finally:
            signal.alarm(0)
        peak = _memory() - before
        assert peak <= MAX_MIB, f"{_keep(path, kept, number)}: {peak} MiB"
        if number % 1000 == 999:
            seconds = time.monotonic() - start
            print(
                f"{name}: {number + 1:,} files, {dict(counts)}, {peak} MiB, {seconds:.0f} s",
                flush=True,
            )
    return counts, peak


def _too_slow(*_: object) -> NoReturn:
    raise TimeoutError(f"{_SECONDS} s for one file")


def _keep(path: Path, kept: Path, number: int) -> Path:
    kept.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(path, kept / f"{number}-{path.name}"))


def _memory(*, reset: bool = False) -> int:
    """The peak of this process's memory in MiB; reset, what it is now."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--files", type=int, default=100_000, help="of MIND; a fifth of predictions"
    )
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    faulthandler.enable()
    signal.signal(signal.SIGALRM, _too_slow)
    for name, num in (("mind", given.files), ("predictions", given.files // 5)):
        # Where it is there, a folder in memory: a disk takes ten times as long.
        with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
            counts, peak = fuzz(name, num, given.seed, Path(folder), ROOT / ".work/fuzz", _SECONDS)
        print(f"{name}: {num:,} files: {dict(counts)}, at most {peak} MiB more memory")


if __name__ == "__main__":
    main()
