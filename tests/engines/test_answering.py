"""One call for every engine: the settings choose it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newsrec.engines import api_engine, transformers_engine, vllm_engine
from newsrec.engines.answering import answer
from newsrec.engines.request import FewPrompts, Request
from newsrec.engines.settings import ApiSettings, Settings, TransformersSettings, VllmSettings
from tests.engines.stub_server import SETTINGS

MODEL, TARGET, WORK = Path("model"), Path("answers.parquet"), Path("work")
REQUEST = Request(FewPrompts([[1], [2]]), (1, 2, 3), 4)
VLLM = VllmSettings("auto", 128, 0.5, 1, True, 10, 1)
TRANSFORMERS = TransformersSettings("auto", 10)
API = ApiSettings(**SETTINGS)


@pytest.mark.parametrize(
    ("settings", "engine", "arguments", "reported"),
    [
        (VLLM, "vllm", (VLLM, MODEL, REQUEST, TARGET, WORK), {}),
        (TRANSFORMERS, "transformers", (TRANSFORMERS, MODEL, REQUEST, TARGET, WORK), {}),
        (API, "api", (API, "base", MODEL, REQUEST, TARGET, WORK), {"of": "api"}),
    ],
)
def test_the_engine_that_the_settings_belong_to_answers_and_no_other(
    settings: Settings,
    engine: str,
    arguments: tuple[object, ...],
    reported: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[str, tuple[object, ...]]] = []

    def stand_in(name: str) -> Callable[..., dict[str, str]]:
        def record(*given: Any) -> dict[str, str]:
            calls.append((name, given))
            return {"of": name}

        return record

    monkeypatch.setattr(vllm_engine, "answer", stand_in("vllm"))
    monkeypatch.setattr(transformers_engine, "answer", stand_in("transformers"))
    monkeypatch.setattr(api_engine, "answer", stand_in("api"))
    assert answer(settings, "base", MODEL, REQUEST, TARGET, WORK) == reported
    assert calls == [(engine, arguments)]
