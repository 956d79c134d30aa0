"""Tiny checkpoints of the other families: random weights, transformers' own classes, real files."""

import json
from pathlib import Path

import torch
from transformers import (
    GlmAsrConfig,
    GlmAsrForConditionalGeneration,
    GlmAsrProcessor,
    PreTrainedTokenizerFast,
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRForTokenClassification,
    Qwen3ASRProcessor,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from funasr_beam.model.recognizers.qwen3_asr import TEXT_MARK
from tests.tiny_checkpoint import END, PAD, build_tokenizer

TIMESTAMP = "<timestamp>"
QWEN_AUDIO = {
    "audio_token": "<|audio_pad|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
}
QWEN_TEMPLATE = (
    "{% set head = namespace(text='') %}"
    "{% for m in messages if m.role == 'system' %}{% set head.text = m.content[0].text %}{% endfor %}"
    "<|im_start|>system\n{{ head.text }}<|im_end|>\n"
    "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n"
    "{% for part in m.content %}"
    "{% if part.type == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
)
ALIGNER_TEMPLATE = (
    "{% for m in messages %}{% for part in m.content %}"
    "{% if part.type == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>"
    "{% else %}{{ part.text }}<timestamp><timestamp>{% endif %}{% endfor %}{% endfor %}"
)
GLM_TEMPLATE = (
    "{% for m in messages %}<|user|>\n{% for part in m.content %}"
    "{% if part.type == 'audio' %}<|begin_of_audio|><|pad|><|end_of_audio|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endfor %}<|assistant|>\n"
)
WHISPER_LANGUAGES = ["<|en|>", "<|zh|>", "<|tl|>", "<|fr|>"]
WHISPER_TOKENS = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *WHISPER_LANGUAGES,
    *("<|translate|>", "<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
]
ENCODER = {
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "d_model": 32,
    "output_dim": 64,
    "downsample_hidden_size": 8,
    "initializer_range": 0.2,
}


def build_qwen3_asr(folder: Path, *, seed: int = 0) -> Path:
    """A Qwen3-ASR checkpoint; its texts depend on the audio and mostly end by the budget."""
    tokenizer = qwen_tokenizer()
    torch.manual_seed(seed)
    model = Qwen3ASRForConditionalGeneration(qwen_config(tokenizer)).eval()
    _speak_up(model)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids([END, PAD])
    model.save_pretrained(folder)
    Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=QWEN_TEMPLATE).save_pretrained(folder)
    return folder


def build_qwen3_aligner(folder: Path, *, seed: int = 0) -> Path:
    """A Qwen3-ForcedAligner checkpoint with 100 steps of 80 ms."""
    tokenizer = qwen_tokenizer()
    torch.manual_seed(seed)
    Qwen3ASRForTokenClassification(qwen_config(tokenizer, num_labels=100)).eval().save_pretrained(folder)
    Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=ALIGNER_TEMPLATE).save_pretrained(folder)
    return folder


def build_wav2vec2(folder: Path, letters: str, *, norm: str = "layer", seed: int = 0) -> Path:
    """A wav2vec2-style CTC checkpoint of these letters; norm: "layer" as the large models, "group" as the base ones."""
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4}
    vocabulary |= {letter: place for place, letter in enumerate(letters, 5)}
    torch.manual_seed(seed)
    config = Wav2Vec2Config(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        initializer_range=0.3,
        pad_token_id=0,
    )
    Wav2Vec2ForCTC(config).eval().save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer").save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    return folder


def build_glm_asr(folder: Path, *, seed: int = 0) -> Path:
    """A GLM-ASR checkpoint."""
    tokenizer = _with_tokens(["<|user|>", "<|assistant|>", "<|pad|>", "<|begin_of_audio|>", "<|end_of_audio|>"])
    torch.manual_seed(seed)
    config = GlmAsrConfig(
        audio_config={"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
        text_config=_llm("llama", tokenizer),
        audio_token_id=tokenizer.convert_tokens_to_ids("<|pad|>"),
    )
    model = GlmAsrForConditionalGeneration(config).eval()
    _speak_up(model)
    model.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=128)
    GlmAsrProcessor(extractor, tokenizer, chat_template=GLM_TEMPLATE).save_pretrained(folder)
    return folder


def build_whisper(folder: Path, *, seed: int = 0) -> Path:
    """A Whisper checkpoint that knows four languages."""
    tokenizer = _whisper_tokenizer()
    ids = tokenizer.get_vocab()
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(_whisper_config(ids)).eval()
    with torch.no_grad():
        for layer in model.model.decoder.layers:
            layer.encoder_attn.out_proj.weight.mul_(20.0)
            layer.self_attn.out_proj.weight.mul_(20.0)
    facts = model.generation_config
    facts._from_model_config = False  # else what Whisper adds to it is not read back
    facts.decoder_start_token_id = ids["<|startoftranscript|>"]
    facts.eos_token_id = facts.pad_token_id = ids["<|endoftext|>"]
    facts.bos_token_id = ids["<|endoftext|>"]
    facts.is_multilingual = True
    facts.lang_to_id = {token: ids[token] for token in WHISPER_LANGUAGES}
    facts.task_to_id = {task: ids[f"<|{task}|>"] for task in ("translate", "transcribe")}
    facts.no_timestamps_token_id = ids["<|notimestamps|>"]
    facts.suppress_tokens = [ids[token] for token in WHISPER_TOKENS[1:]]
    facts.begin_suppress_tokens = [ids["Ġ"], ids["<|endoftext|>"]]
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=80), tokenizer).save_pretrained(folder)
    return folder


def _whisper_tokenizer() -> WhisperTokenizer:
    model = json.loads(build_tokenizer(640).backend_tokenizer.to_str())["model"]
    tokenizer = WhisperTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])
    tokenizer.add_special_tokens({"additional_special_tokens": WHISPER_TOKENS})
    return tokenizer


def _whisper_config(ids: dict[str, int]) -> WhisperConfig:
    return WhisperConfig(
        vocab_size=len(ids),
        num_mel_bins=80,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_target_positions=64,
        init_std=0.3,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        eos_token_id=ids["<|endoftext|>"],
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE with Qwen3-ASR's control tokens."""
    plain = build_tokenizer(640)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer,
        pad_token=PAD,
        eos_token=END,
        padding_side="left",
        model_specific_special_tokens=QWEN_AUDIO,
    )
    tokenizer.add_tokens([TEXT_MARK, TIMESTAMP])
    return tokenizer


def qwen_config(tokenizer: PreTrainedTokenizerFast, **changes: object) -> Qwen3ASRConfig:
    """The architecture of the real model in small."""
    return Qwen3ASRConfig(
        audio_config=ENCODER,
        text_config=_llm("qwen3", tokenizer),
        audio_token_id=tokenizer.convert_tokens_to_ids(QWEN_AUDIO["audio_token"]),
        timestamp_token_id=tokenizer.convert_tokens_to_ids(TIMESTAMP),
        pad_token_id=tokenizer.convert_tokens_to_ids(PAD),
        **changes,
    )


def _with_tokens(tokens: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = build_tokenizer(640)
    tokenizer.add_special_tokens({"additional_special_tokens": tokens})
    return tokenizer


def _llm(kind: str, tokenizer: PreTrainedTokenizerFast) -> dict[str, object]:
    return {
        "model_type": kind,
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "initializer_range": 0.2,
        "eos_token_id": tokenizer.convert_tokens_to_ids(END),
        "pad_token_id": tokenizer.convert_tokens_to_ids(PAD),
        "bos_token_id": None,
    }


def _speak_up(model: torch.nn.Module) -> None:
    """Scale random weights so that what was heard decides each token."""
    with torch.no_grad():
        model.model.multi_modal_projector.linear_2.weight.mul_(8.0)
        for layer in model.model.language_model.layers:
            layer.self_attn.o_proj.weight.mul_(8.0)
            layer.mlp.down_proj.weight.mul_(8.0)
