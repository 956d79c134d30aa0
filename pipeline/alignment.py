"""From the configuration to the aligners of a run: which models, where they are, and what tells them apart."""

from pathlib import Path

from funasr_beam.model.aligners.choice import OTHERS, AlignmentSettings
from funasr_beam.model.aligners.loading import aligner_folder
from funasr_beam.model.aligners.support import MMS_HUB_ID, MMS_LANGUAGES, QWEN3_HUB_ID, WAV2VEC2_HUB_IDS
from funasr_beam.model.checkpoint_folder import weights_sha256
from funasr_beam.model.errors import UsageError
from funasr_beam.pipeline.config import Config


def alignment_settings(config: Config) -> AlignmentSettings:
    """Which aligners the run uses, folders by their absolute path: workers may have another working directory.

    Raises:
        UsageError: an aligner is wanted by name for which no model is.
    """
    section = config.alignment
    models = dict(section.wav2vec2)
    if section.aligner == "wav2vec2" and not models:
        models = _known_model(config.recognition.language)
    qwen3 = section.qwen3 or (QWEN3_HUB_ID if section.aligner == "qwen3" else None)
    return AlignmentSettings(
        section.aligner,
        _absolute(qwen3) if qwen3 else None,
        tuple((code, _absolute(model)) for code, model in sorted(models.items())),
        section.min_score,
        config.recognition.device,
    )


def alignment_identity(settings: AlignmentSettings) -> dict[str, str]:
    """What of the aligners can change a row: the choice, and the weights of each model that is used.

    Raises:
        funasr_beam.model.errors.UsageError: a name means nothing.
        funasr_beam.model.errors.RunError: a model cannot be had, or is unsafe or incomplete.
    """
    models = settings.models()
    checksums = {f"aligner {model}": weights_sha256(aligner_folder(model, source)) for source, model in models}
    return {"aligner": f"{settings.aligner} {settings.min_score}", "languages": str(settings.wav2vec2), **checksums}


def _known_model(language: str | None) -> dict[str, str]:
    """The model that others align this language with."""
    if language in WAV2VEC2_HUB_IDS:
        return {language: WAV2VEC2_HUB_IDS[language]}
    if language in MMS_LANGUAGES:
        return {OTHERS: MMS_HUB_ID}
    why = 'needs a model for each language, such as --set alignment.wav2vec2.de="owner/model", or --language'
    problem = f'alignment.aligner = "wav2vec2": {why}; docs/alignment.md names some'
    raise UsageError.counting("in the command", [problem])


def _absolute(model: str) -> str:
    path = Path(model).expanduser()
    return str(path.resolve()) if path.is_dir() else model
