"""A damaged cache, remote or model: refused with the file named, and the remedy works."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from newsrec.files import sha256_folder
from newsrec.running.dvc_stage import md5
from tests.faults.small import outputs
from tests.faults.toy import contents, refusal
from tests.trees import ran_stages, run

pytestmark = pytest.mark.slow
WEIGHTS = "models/first/part/weights"


@pytest.fixture
def run_toy(finished_toy: Path, tmp_path: Path) -> Path:
    """A copy of the finished pipeline, whose second stage is to run."""
    tree = tmp_path / "tree"
    shutil.copytree(finished_toy, tree, symlinks=True)
    (tree / "reports/second.txt").unlink()
    with (tree / "stages/second.py").open("a") as stream:
        stream.write("# another version\n")
    return tree


def cached(tree: Path, file: str) -> Path:
    """The object of DVC's cache that holds a file's bytes."""
    digest = md5(tree / file)
    assert digest is not None
    return tree / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def damage(path: Path) -> None:
    """Change a byte where it is, as a failing disk does; root may write whatever the mode."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(b"B")
    path.chmod(mode)


def test_a_damaged_object_of_the_cache_is_named_and_made_again(
    run_toy: Path, wanted: dict[str, bytes]
) -> None:
    path = cached(run_toy, WEIGHTS)
    damage(path)
    shutil.rmtree(run_toy / "models/first")
    said = refusal(run_toy, "dvc", "repro")
    assert f"second: {WEIGHTS}: damaged, as is what DVC's cache has of it" in said
    remedy = said.split("remove both: ")[1].split(";")[0]
    assert remedy == f"rm -rf {path} models/first"
    run(run_toy, *remedy.split())
    assert ran_stages(run(run_toy, "dvc", "repro")) == {"first", "second"}
    assert contents(run_toy) == wanted


@pytest.mark.faults
@pytest.mark.parametrize("remedy", ["checkout", "commit"])
def test_an_output_that_was_changed_by_hand_is_named(
    remedy: str, run_toy: Path, wanted: dict[str, bytes]
) -> None:
    damage(run_toy / WEIGHTS)
    said = refusal(run_toy, "dvc", "repro", "-s", "second")
    assert f"second: {WEIGHTS}: not what dvc.lock records of the stage first" in said
    start = said.index(f"dvc {remedy}")
    run(run_toy, *said[start:].replace(",", " ").split()[:4])
    run(run_toy, "dvc", "repro", "-s", "second")
    assert (contents(run_toy) == wanted) == (remedy == "checkout")


@pytest.fixture
def remote(run_toy: Path, tmp_path: Path) -> Path:
    """A remote in a folder, that holds all; the cache here is empty."""
    run(run_toy, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    run(run_toy, "dvc", "push")
    shutil.rmtree(run_toy / ".dvc/cache")
    shutil.rmtree(run_toy / "models/first")
    return tmp_path / "store/files/md5"


def stored(remote: Path, content: bytes) -> Path:
    return next(
        path for path in remote.rglob("*") if path.is_file() and content in path.read_bytes()
    )


@pytest.mark.faults
def test_a_missing_object_of_the_remote_is_named(run_toy: Path, remote: Path) -> None:
    path = stored(remote, b"bytesbytes")
    path.unlink()
    assert str(path) in refusal(run_toy, "dvc", "pull", "first")
    assert not (run_toy / WEIGHTS).exists()


@pytest.mark.faults
@pytest.mark.parametrize("verify", [True, False])
def test_an_altered_object_of_the_remote_is_refused(
    verify: bool, run_toy: Path, remote: Path, wanted: dict[str, bytes]
) -> None:
    whole = stored(remote, b"bytesbytes").read_bytes()
    path = stored(remote, b"bytesbytes")
    damage(path)
    run(run_toy, "dvc", "config", "remote.store.verify", str(verify).lower())
    if verify:
        said = refusal(run_toy, "dvc", "pull", "first")
        assert "models/first" in said
    else:
        run(run_toy, "dvc", "pull", "first")
        said = refusal(run_toy, "dvc", "repro", "-s", "second")
        assert f"second: {WEIGHTS}: damaged, as is what DVC's cache has of it" in said
        run(run_toy, *said.split("remove both: ")[1].split(";")[0].split())
    path.chmod(0o644)
    path.write_bytes(whole)
    run(run_toy, "dvc", "pull", "first")
    run(run_toy, "dvc", "repro", "-s", "second")
    assert contents(run_toy) == wanted


def assert_cache_is_whole(tree: Path) -> None:
    """Every object of DVC's cache has the digest that it is named by."""
    objects = [path for path in (tree / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    for path in objects:
        digest = (md5(path) or "") + ".dir" * (path.suffix == ".dir")
        assert digest == path.parent.name + path.name
    assert len(objects) >= 3


@pytest.mark.parametrize("kind", ["hardlink", pytest.param("symlink", marks=pytest.mark.faults)])
def test_a_run_on_linked_inputs_changes_no_object_of_the_cache(
    kind: str, run_toy: Path, wanted: dict[str, bytes]
) -> None:
    run(run_toy, "dvc", "config", "cache.type", kind)
    run(run_toy, "dvc", "checkout", "--relink", "first")
    path = run_toy / WEIGHTS
    assert path.is_symlink() if kind == "symlink" else path.stat().st_nlink > 1
    run(run_toy, "dvc", "repro", "--force")
    assert contents(run_toy) == wanted
    assert_cache_is_whole(run_toy)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_a_full_run_on_linked_inputs_changes_no_object_of_the_cache(
    kind: str, finished_small: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(finished_small, tree, symlinks=True)
    run(tree, "dvc", "config", "cache.type", kind)
    run(tree, "dvc", "checkout", "--relink")
    assert_cache_is_whole(tree)
    weights = tree / "models/base/model.safetensors"
    assert weights.is_symlink() if kind == "symlink" else weights.stat().st_nlink > 1
    run(tree, "dvc", "repro", "--force")
    assert_cache_is_whole(tree)
    for stage in ("fetch_model", "preprocess", "train", "merge", "score@tuned"):
        assert outputs(tree, stage) == outputs(finished_small, stage)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_another_base(path: Path) -> None:
    protocol = json.loads(path.read_text())
    protocol["model"] = protocol["model"][:-12] + "0" * 12
    path.write_text(json.dumps(protocol))


MERGE = ("merge", "mind", "newsrec.news.card")
TRAIN = ("train", "mind")
SCORE = ("score", "tuned", "models/merged")
CUT = "broken safetensors file"


@pytest.mark.faults
@pytest.mark.parametrize(
    ("stage", "file", "harm", "words"),
    [
        (TRAIN, "models/base/model.safetensors", cut, CUT),
        (TRAIN, "models/base/tokenizer.json", cut, "its tokenizer cannot be loaded"),
        (MERGE, "models/base/model.safetensors", cut, CUT),
        (MERGE, "models/adapter/adapter_model.safetensors", cut, CUT),
        (MERGE, "models/adapter/protocol.json", of_another_base, "is another model"),
        (SCORE, "models/merged/model.safetensors", cut, CUT),
        (SCORE, "models/merged/tokenizer.json", cut, "its tokenizer cannot be loaded"),
    ],
)
def test_a_damaged_model_is_refused_by_hand_and_by_dvc(
    stage: tuple[str, ...],
    file: str,
    harm: Callable[[Path], None],
    words: str,
    finished_small: Path,
    tmp_path: Path,
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(finished_small, tree, symlinks=True)
    harm(tree / file)
    before = {name: sha256_folder(tree / name) for name in ("models", "data", "metrics")}
    said = refusal(tree, sys.executable, "-m", f"stages.{stage[0]}", *stage[1:])
    named = file if "tokenizer" not in file else str(Path(file).parent)
    assert f"{stage[0]}: {named}: " in said
    assert words in said
    assert "Traceback" not in said
    assert before == {name: sha256_folder(tree / name) for name in before}
    name = "score@tuned" if stage is SCORE else stage[0]
    said = refusal(tree, "dvc", "repro", "--force", "-s", name)
    assert f"{stage[0]}: {file}: not what dvc.lock records of the stage" in said
    # The remedy of the message.
    run(tree, *said[said.index("dvc checkout") :].split()[:4])
    assert md5(tree / file) == md5(finished_small / file)
