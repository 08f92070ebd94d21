"""params.yaml: equal to its composition, and every fault reported in one line."""

import re
import shutil
from itertools import combinations, permutations, product
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from newsrec.assistant.params import Params as AssistantParams
from newsrec.errors import UserError
from newsrec.news.params import Params
from newsrec.params.compose import compose, compose_pipeline
from newsrec.params.load import load_params
from newsrec.params.sections import SharedParams
from newsrec.ranker.params import Params as RankerParams
from newsrec.ranker.rl.params import rl_values
from newsrec.ranker.rl.training import Lists, describe
from newsrec.safety.params import Params as SafetyParams
from newsrec.training.methods import UNMERGEABLE
from tests import ROOT
from tests.compositions import composed, write_params

GROUPS = {
    name: sorted(
        {file.stem for file in (ROOT / "conf" / folder).glob("*.yaml")} - {"onnx"}  # classifiers'
    )
    for name, folder in {
        "data": "news/data",
        "engine": "engine",
        "model": "model",
        "train": "train",
    }.items()
}
# The pipelines but the news.
OTHERS: dict[str, type[SharedParams]] = {
    "safety": SafetyParams,
    "assistant": AssistantParams,
    "ranker": RankerParams,
}
CHOICES = [f"{group}={word}" for group, words in GROUPS.items() for word in words]
# Model, data, train and engine; None leaves the engine to conf/.
Words = tuple[str, str, str, str | None]
COMBINATIONS: list[Words] = [
    words
    for words in product(
        GROUPS["model"], GROUPS["data"], GROUPS["train"], [None, *GROUPS["engine"]]
    )
    # The default named is the default: only where the choice of train sets another it is a wish.
    if words[3] != "vllm" or words[2] in UNMERGEABLE
]


def holding_every_pair(found: list[Words]) -> set[Words]:
    """A few of `found`, in which each word still meets each word of every other group."""
    pairs_of = {words: set(combinations(enumerate(words), 2)) for words in found}
    missing = set().union(*pairs_of.values())
    chosen = set()
    while missing:
        best = max(found, key=lambda words: len(pairs_of[words] & missing))
        chosen.add(best)
        missing -= pairs_of[best]
    return chosen


# Hydra takes 0.1 s for one, as DVC calls it: all of them take two minutes, these seconds.
FEW = sorted(holding_every_pair(COMBINATIONS), key=str)


def test_params_yaml_is_the_composition_of_conf(tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", [])
    assert (tmp_path / "params.yaml").read_text() == (ROOT / "params.yaml").read_text()


def test_the_command_composes_the_pipeline_of_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    compose_pipeline(tmp_path / "params.yaml", ["train.lr=0.5"])
    assert load_params(Params, tmp_path / "params.yaml").train.lr == 0.5


CONFIGS = ("config", "safety", "assistant", "ranker")


@pytest.mark.parametrize(
    "config",
    ["config", *(pytest.param(name, marks=pytest.mark.slow) for name in CONFIGS[1:])],
)
@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.lrr=3", r"train\.lrr: a key of train is 'lrr'; .*; did you mean 'lr'\?"),
        ("trian.lr=3", "trian.lr: a section or choice is 'trian'; .*; did you mean 'train'"),
        ("train.lr.x=3", r"train\.lr is a value and has no keys; expected train\.lr="),
        ("model=qwen3-0.6", "model is 'qwen3-0.6'; expected one of: .*; did you mean 'qwen3-0.6b'"),
        ("data=nope", "data is 'nope'; expected one of: "),
        ("train.lr=[", r"train\.lr=\[: .*; expected choices and values, like train=qlora"),
        ("train.lr=${nope}", "'nope' not found; expected choices and values, like"),
    ],
)
def test_an_override_that_cannot_be_used_is_one_line(
    config: str, override: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=expected):
        compose(tmp_path / "params.yaml", [override], config)
    assert not any(tmp_path.iterdir())


def test_a_choice_of_another_pipeline_is_answered_with_those_of_this_one(tmp_path: Path) -> None:
    expected = r"^assistant/data is 'mind-small'; expected one of: embedded, files$"
    with pytest.raises(UserError, match=expected):
        compose(tmp_path / "params.yaml", ["data=mind-small"], "assistant")


def test_params_outside_a_project_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is in no DVC project; run newsrec params in the folder"):
        compose_pipeline(Path("params.yaml"), [])
    assert not any(tmp_path.iterdir())


def test_a_stage_of_every_pipeline_passes_over_the_sections_of_one(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    write_params(path)
    shared, whole = load_params(SharedParams, path), load_params(Params, path)
    assert (shared.train, shared.fetch_model) == (whole.train, whole.fetch_model)
    assert not hasattr(shared, "prompt")


@pytest.mark.slow  # a second and more
@pytest.mark.parametrize("choice", CHOICES)
def test_every_shipped_choice_is_parsed(choice: str, tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", [choice])
    load_params(Params, tmp_path / "params.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pipeline", "data"),
    [
        (name, file.stem)
        for name in OTHERS
        for file in sorted((ROOT / f"conf/{name}/data").glob("*.yaml"))
    ],
)
@pytest.mark.parametrize(
    ("model", "engine"), [("tiny", "vllm"), ("qwen3-1.7b", "vllm"), ("local", "transformers")]
)
def test_choices_of_other_pipelines_combine(
    model: str, engine: str, pipeline: str, data: str, tmp_path: Path
) -> None:
    path = tmp_path / "params.yaml"
    compose(path, [f"model={model}", f"data={data}", f"engine={engine}"], pipeline)
    params = load_params(OTHERS[pipeline], path)
    assert params.score.engine == engine
    assert (params.fetch_model.tiny is not None) == (model == "tiny")
    names = (pipeline, "train/lora")  # a pipeline may have no rate of its own
    values = (yaml.safe_load((ROOT / f"conf/{name}.yaml").read_text("utf-8")) for name in names)
    lr = next(one["train"]["lr"] for one in values if "lr" in one.get("train", {}))
    assert (params.train.lr == lr) == (model != "tiny")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "softmax", "group", "ppo"])
def test_a_method_of_reinforcement_is_chosen_by_its_word(method: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    compose(
        path, [f"rl={method}", "data=musical-instruments", "model=qwen2.5-3b-instruct"], "ranker"
    )
    params = load_params(RankerParams, path)
    assert params.rl.method == method
    assert (params.model.template, params.prepare.max_lists["test"]) == ("qwen", 5000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "trained"),
    [
        ([], ["exact", "softmax"]),
        (["rl=softmax"], ["softmax"]),
        (["rl.compared=[]"], ["exact", "softmax"]),
        (["rl=ppo", "rl.compared=[group]"], ["ppo", "group", "softmax"]),
        (["rl.compared=[softmax,group,ppo]"], ["exact", "softmax", "group", "ppo"]),
        (
            ["rl=group", "rl.compared=[ppo,exact,group,softmax]"],
            ["group", "ppo", "exact", "softmax"],
        ),
    ],
)
def test_the_chosen_method_softmax_and_those_compared_are_trained_once(
    overrides: list[str], trained: list[str], tmp_path: Path
) -> None:
    compose(tmp_path / "params.yaml", overrides, "ranker")
    found = load_params(RankerParams, tmp_path / "params.yaml").rl.trained
    assert list(dict.fromkeys(found)) == trained  # as DVC names the stages


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ("rl.compared=[ppo,ppo]", "rl.compared names ppo more than once; name each method once"),
        ("rl.compared=[grpo]", "rl.compared.0 is 'grpo'; expected one of: 'exact', 'softmax'"),
        ("rl.trained=[exact,ppo,ppo,ppo,ppo]", "rl.trained is exact, ppo, ppo, ppo, ppo; expected"),
    ],
)
def test_methods_that_cannot_be_compared_are_refused_in_one_line(
    overrides: str, words: str, tmp_path: Path
) -> None:
    compose(tmp_path / "params.yaml", [overrides], "ranker")
    with pytest.raises(UserError, match=re.escape(words)) as refused:
        load_params(RankerParams, tmp_path / "params.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(file.stem for file in (ROOT / "conf/rl").glob("*.yaml")))
def test_the_recipe_of_the_tiny_ranker_fits_every_method(method: str, tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", [f"rl={method}"], "ranker")
    params = load_params(RankerParams, tmp_path / "params.yaml")
    assert params.fetch_model.tiny is not None
    lists = Lists(tmp_path, tmp_path, tmp_path, params.prompt, params.score.max_prompt_tokens)
    values = rl_values(params.rl, method)
    values |= {"precision": "fp32"}
    described = describe(base=tmp_path, lists=lists, work=tmp_path, method=method, **values)
    assert (described["method"], described["trainer"]["max_steps"]) == (method, 152)


def test_every_choice_of_data_is_of_a_pipeline() -> None:
    of_pipelines = {file.stem for file in (ROOT / "conf").glob("*/data/*.yaml")}
    assert {file.stem for file in (ROOT / "conf/data").glob("*.yaml")} == of_pipelines


def test_classifiers_have_an_engine_of_their_own(tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", ["engine=onnx"], "safety")
    assert load_params(SafetyParams, tmp_path / "params.yaml").score.engine == "onnx"


def test_an_engine_of_classifiers_is_refused_for_news(tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", ["engine=onnx"])
    with pytest.raises(UserError, match=r"score\.engine is onnx.* classifiers only"):
        load_params(Params, tmp_path / "params.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(("model", "data", "train", "engine"), FEW)
def test_choices_combine(
    model: str, data: str, train: str, engine: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "params.yaml"
    words = [f"model={model}", f"data={data}", f"train={train}"]
    compose(path, words if engine is None else [*words, f"engine={engine}"])
    loads_all = train not in UNMERGEABLE
    if engine not in (None, "transformers") and not loads_all:
        with pytest.raises(UserError, match=rf"{engine}.*{train}.*engine=transformers"):
            load_params(Params, path)
        return
    params = load_params(Params, path)
    assert params.score.engine == (engine or ("vllm" if loads_all else "transformers"))
    assert params.train.method == train
    assert (params.fetch_model.tiny is not None) == (model == "tiny")
    as_published = (params.prompt.feedback, params.preprocess.target, params.preprocess.candidates)
    assert (as_published == ("same_impression", "last", "last")) == (data == "as-published")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "lr"), [("tiny", 5e-3), ("qwen3-0.6b", 1e-4), ("qwen3-8b", 1e-4)]
)
def test_the_tiny_model_alone_has_a_recipe_of_its_own(
    model: str, lr: float, tmp_path: Path
) -> None:
    compose(tmp_path / "params.yaml", [f"model={model}"])
    assert load_params(Params, tmp_path / "params.yaml").train.lr == lr


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["train.save_steps=0"], ["train.save_steps", "0", "greater than 0"]),
        (["train.pissa=true", "train.dora=true"], ["train.pissa and dora", "choose one"]),
        (
            ["train.pissa=true", "train.targets='q_proj, lm_head'"],
            ["targets contains lm_head", "false"],
        ),
        (["train.early_stopping=0"], ["train.early_stopping", "0", "greater than 0"]),
        (["train.processes=0"], ["train.processes", "0", "greater than 0"]),
        (["train.processes=3"], ["processes is 3", "a divisor of batch_size"]),
        (["train.early_stopping=-1"], ["train.early_stopping", "-1", "greater than 0"]),
        (["train.method=dreambooth"], ["'dreambooth'", *GROUPS["train"]]),
        (["fetch_model.tiny.hidden_size=16"], ["hidden_size is 16", "32 or more"]),
        (
            ["fetch_model.tiny.hidden_size=96", "+fetch_model.tiny.num_key_value_heads=2"],
            ["num_key_value_heads is 2", "a divisor of 3, the number of heads"],
        ),
        (
            ["fetch_model.tiny.hidden_size=64", "+fetch_model.tiny.induction_heads=true"],
            ["induction_heads is true", "expected 96 and 2 or more"],
        ),
        (["+fetch_model.tiny.processes=0"], ["processes is 0", "from 1 to", "the batch_size"]),
        (["train.method=null"], ["train.method is None", *GROUPS["train"]]),
        (["train=full", "+train.rank=8"], ["'train.rank'", "expected one of", "epochs", "lr"]),
        (["train=adapter", "+train.num_layers=2"], ["'train.num_layers'", "reduction_factor"]),
        (["train.method=full"], ["expected one of", "epochs"]),  # with LoRA's keys left there
        (["train=adapter", "engine=vllm"], ["score.engine is vllm", "transformers", "choose lora"]),
    ],
)
def test_values_that_do_not_fit_together_are_reported(
    overrides: list[str], words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "params.yaml"
    choices = [one for one in overrides if one.startswith("+") or "." not in one.partition("=")[0]]
    write_params(path, *choices)
    values = OmegaConf.from_dotlist([one for one in overrides if one not in choices])
    OmegaConf.save(OmegaConf.merge(OmegaConf.load(path), values), path)
    with pytest.raises(UserError) as caught:
        load_params(Params, path)
    for word in [*words, str(path)]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("written", "wanted"), [("null", None), ("1", 1)])
def test_early_stopping_is_a_count_or_off(written: str, wanted: int | None, tmp_path: Path) -> None:
    compose(tmp_path / "params.yaml", [f"train.early_stopping={written}"])
    assert load_params(Params, tmp_path / "params.yaml").train.early_stopping == wanted


@pytest.mark.parametrize("text", ["5e-5", "5e-05", "0.00005"])
def test_a_learning_rate_is_a_number_however_it_is_written(text: str, tmp_path: Path) -> None:
    params = edited(tmp_path, "  lr: 0.005", f"  lr: {text}")
    assert load_params(Params, params).train.lr == 5e-5


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  lr: 0.005", "  lrr: 0.005", ["'train.lrr'", "did you mean 'lr'"]),
        ("prompt:", "promt:", ["'promt'", "did you mean 'prompt'"]),
        ("feedback: earlier", "feedback: later", ["'later'", "'earlier'", "'same_impression'"]),
        ("split: by_user", "split: by_week", ["'by_week'", "'by_time'"]),
        ("  source: tiny", "  source: dropbox", ["'dropbox'", "'modelscope'", "'huggingface'"]),
        ("  lr: 0.005", "  lr: fast", ["train.lr", "'fast'", "number"]),
        ("  lr: 0.005\n", "", ["'train.lr' is missing", "make params"]),
        ("  num_impressions: 300", "  num_impressions: most", ["num_impressions", "'most'"]),
        ("fetch_mind:", "fetch_mind: [", ["not YAML"]),
    ],
)
def test_a_fault_names_the_key_and_what_was_expected(
    old: str, new: str, words: list[str], tmp_path: Path
) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(UserError) as caught:
        load_params(Params, path)
    for word in [*words, str(path)]:
        assert word in str(caught.value)


def edited(folder: Path, old: str, new: str) -> Path:
    path, text = folder / "params.yaml", composed()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    return path


HOMES = {"news": Path(), **{name: Path("pipelines") / name for name in OTHERS}}


@pytest.mark.parametrize(("here", "wanted"), [*permutations(HOMES, 2)])
def test_a_command_in_the_folder_of_another_pipeline_says_where_to_go(
    here: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT / HOMES[here])
    kind = {"news": Params, **OTHERS}[wanted]
    with pytest.raises(UserError) as caught:
        load_params(kind)
    words = str(caught.value)
    assert words.startswith("params.yaml: belongs to another pipeline; run this in the folder of ")
    assert (Path.cwd() / words.split(": cd ")[1]).resolve() == ROOT / HOMES[wanted]


@pytest.mark.parametrize("kind", [Params, *OTHERS.values()])
def test_in_its_own_folder_a_missing_section_is_named(
    kind: type[SharedParams], tmp_path: Path
) -> None:
    name = next(name for name, one in {"news": Params, **OTHERS}.items() if one is kind)
    values = yaml.safe_load((ROOT / HOMES[name] / "params.yaml").read_text("utf-8"))
    section = kind.pipeline.section  # type: ignore[attr-defined]
    del values[section]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), "utf-8")
    with pytest.raises(UserError, match=f"key '{section}' is missing"):
        load_params(kind, tmp_path / "params.yaml")


def test_a_folder_without_parameters_leads_to_the_pipeline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT / "docs")
    with pytest.raises(UserError, match=r"^params\.yaml: no such file; .* cd \.\./pipelines/safe"):
        load_params(SafetyParams)


def test_outside_the_repository_the_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"safety pipeline: pipelines/safety in the repository$"):
        load_params(SafetyParams)
