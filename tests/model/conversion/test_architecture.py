import pytest
import yaml

from funasr_beam.model.conversion.architecture import (
    Architecture,
    LlmSizes,
    PromptFacts,
    llm_folder_name,
    read_architecture,
    read_prompt_facts,
    read_yaml,
)
from funasr_beam.model.conversion.errors import ConversionError
from tests.original_checkpoint import describe, tiny_architecture


def test_without_a_description_everything_is_as_published():
    assert read_architecture({}, LlmSizes()) == Architecture()


def test_a_description_is_read_back(tmp_path):
    tiny = tiny_architecture(600, 400)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(describe(tiny)))
    assert read_architecture(read_yaml(tmp_path / "config.yaml"), tiny.llm) == tiny


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"model": "Paraformer"}, "model = Paraformer; known is FunASRNano"),
        ({"audio_adaptor": "QFormer"}, "audio_adaptor = QFormer"),
        ({"frontend_conf": {"cmvn_file": "am.mvn"}}, "frontend_conf.cmvn_file = am.mvn"),
        ({"frontend_conf": {"fs": 8000}}, "frontend_conf.fs = 8000"),
    ],
)
def test_another_model_is_refused_by_what_differs(told, named):
    with pytest.raises(ConversionError) as error:
        read_architecture(told, LlmSizes())
    assert named in str(error.value)


def test_the_llms_folder_is_found_wherever_it_was_at_training():
    assert llm_folder_name({}) == "Qwen3-0.6B"
    assert llm_folder_name({"llm_conf": {"init_param_path": "/data/models/Qwen3-Mine/"}}) == "Qwen3-Mine"


def test_what_the_prompt_depends_on_is_read():
    assert read_prompt_facts({}) == PromptFacts(think_block=False, system_line=True)
    told = {"dataset_conf": {"do_think": False, "sys_prompt": False}}
    assert read_prompt_facts(told) == PromptFacts(think_block=True, system_line=False)


@pytest.mark.parametrize("text", ["a: [", "- a", "\x00"])
def test_what_is_no_description_is_a_message(text, tmp_path):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConversionError, match=r"config\.yaml"):
        read_yaml(tmp_path / "config.yaml")
