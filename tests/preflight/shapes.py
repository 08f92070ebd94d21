"""The shipped models' shapes, and small ones that a training step fits into a test."""

from newsrec.models.shape import Shape
from tests import ROOT
from tests.quick_yaml import safe_load

SHIPPED = {
    path.stem: Shape(**safe_load(path.read_text(encoding="utf-8"))["model"]["shape"])
    for path in sorted((ROOT / "conf/model").glob("qwen3-*.yaml"))
}
TARGETS = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
LORA = {"rank": 8, "targets": TARGETS, "dora": False}
QLORA = {**LORA, "double_quantization": True}
