"""Every rule, seen both ways; every remedy names what to change."""

from pathlib import Path

import pytest

from newsrec.preflight import checks
from newsrec.preflight.checks import Finding
from newsrec.preflight.machine import Gpu, Memory, Vllm

GB = 10**9
L4 = Gpu("NVIDIA L4", Memory(24 * GB, 23 * GB))
VARIABLE = "NEWSREC_VLLM_PYTHON"


def memory(needed: int, weights: int, total: int, free: int) -> Finding:
    return checks.check_memory(
        "GPU memory", needed * GB, weights * GB, Memory(total * GB, free * GB), "lower", "shrink"
    )


def share(needed: int, weights: int, total: int, free: int, utilization: float = 0.9) -> Finding:
    there = Memory(total * GB, free * GB)
    return checks.check_vllm_share(needed * GB, weights * GB, there, utilization)


def vllm(found: Vllm | None, gpus: list[Gpu], python: str = "absent/python") -> Finding:
    return checks.check_vllm(Path(python), found, "0.32.0", gpus, VARIABLE)


@pytest.mark.parametrize(
    ("finding", "level", "words"),
    [
        (checks.check_disk(Path(), 9 * GB, 9 * GB, True), "ok", ""),
        (checks.check_disk(Path(), 9 * GB, 6 * GB, True), "problem", "free 3.0 GB; or spare DVC's"),
        (checks.check_disk(Path(), 9 * GB, 6 * GB, False), "problem", "free 3.0 GB; or choose"),
        (memory(20, 16, 24, 23), "ok", ""),
        (memory(20, 16, 24, 18), "warning", "end what else uses it, or lower"),
        (memory(20, 16, 18, 18), "warning", "lower"),
        (memory(20, 16, 12, 12), "problem", "the weights alone are 16.0 GB: shrink"),
        (share(18, 16, 24, 24), "ok", ""),
        (share(18, 16, 24, 20), "warning", "end what else uses the GPU"),
        (share(18, 16, 19, 19), "warning", "raise score.gpu_memory_utilization, lower"),
        (share(18, 16, 17, 17), "problem", "raise score.gpu_memory_utilization, or choose"),
        (share(18, 16, 12, 12), "problem", "16.0 GB: choose a smaller model"),
        (checks.check_device(8 * GB, [L4]), "ok", ""),
        (checks.check_device(GB, []), "ok", ""),
        (checks.check_device(8 * GB, []), "warning", "8.0 billion parameters take days"),
        (checks.check_precision("bf16", [L4]), "ok", ""),
        (checks.check_precision("auto", []), "ok", ""),
        (checks.check_freeze("auto", 2, [L4]), "ok", ""),
        (checks.check_freeze("fp32", 4, []), "ok", ""),
        (checks.check_freeze("auto", 2, []), "problem", "or train=lora"),
        (checks.check_freeze("fp32", 2, [L4]), "problem", "set train.precision to auto"),
        (checks.check_precision("bf16", []), "problem", "set train.precision to auto or fp32"),
        (checks.check_torch("2.13.0+cpu", []), "ok", ""),
        (checks.check_torch("2.13.0", [L4]), "ok", ""),
        (checks.check_torch("2.13.0+cpu", [L4]), "warning", "make env"),
        (checks.check_package("torch", "2.13.0", "2.13.0+cpu"), "ok", ""),
        (checks.check_package("adapters", None, "1.3.0"), "ok", ""),
        (checks.check_package("torch", "2.13.0", "2.12.0"), "warning", "make env"),
        (checks.check_package("adapters", None, None), "problem", "make env"),
        (checks.check_python((3, 11), (3, 13)), "ok", ""),
        (checks.check_python((3, 11), (3, 10)), "problem", "make PYTHON=python3.12 env"),
        (vllm(Vllm("0.32.0", for_cpu=True), []), "ok", ""),
        (vllm(Vllm("0.32.0", for_cpu=False), [L4]), "ok", ""),
        (vllm(Vllm("0.31.0", for_cpu=True), []), "warning", "make env"),
        (vllm(Vllm("0.32.0", for_cpu=True), [L4]), "warning", "make VLLM=cuda env"),
        (vllm(Vllm("0.32.0", for_cpu=False), []), "problem", "make VLLM=cpu env"),
        (vllm(None, []), "problem", f"make env (or point {VARIABLE}"),
        (checks.check_hub("model", "http://hub", None, "model=local"), "ok", ""),
        (checks.check_hub("model", "http://hub", "HTTP 503", "mine"), "problem", "HF_ENDPOINT"),
        (checks.check_length("train.cutoff_len", 1024, 1024), "ok", ""),
        (checks.check_length("train.cutoff_len", 2048, 1024), "problem", "lower train.cutoff_len"),
        (checks.check_path("mind.path", Path("newsrec"), ""), "ok", ""),
        (checks.check_path("mind.path", Path("absent"), ""), "problem", "correct mind.path"),
        (checks.check_path("model.path", Path("newsrec"), "x.json"), "problem", "complete"),
    ],
)
def test_a_rule_is_seen_both_ways(finding: Finding, level: str, words: str) -> None:
    assert finding.level == level
    assert words in finding.remedy
    assert (finding.remedy == "") == (level == "ok")


def test_a_finding_says_in_a_line_what_was_found_needed_and_to_do() -> None:
    line = checks.check_length("train.cutoff_len", 2048, 1024).line
    assert line.startswith("train.cutoff_len: 2048, 1024 at most needed; lower train.cutoff_len")


def test_a_missing_environment_is_told_from_one_without_vllm(tmp_path: Path) -> None:
    assert "no such file" in vllm(None, []).found
    (tmp_path / "python").touch()
    assert vllm(None, [], str(tmp_path / "python")).found == f"none in {tmp_path / 'python'}"
