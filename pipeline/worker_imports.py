"""What every worker needs, imported once by the process from which the pool forks its workers.

Nothing here may start a thread or touch a GPU: neither survives a fork.
"""

from funasr_beam.model.imports import import_quietly

_HEAVY = (
    "apache_beam.runners.worker.sdk_worker",
    "funasr_beam.transforms.transcribe_units",
    "funasr_beam.model.vad",
    "funasr_beam.model.recognizers.fun_asr_nano",
    "transformers.models.fun_asr_nano.modeling_fun_asr_nano",
    "transformers.models.fun_asr_nano.processing_fun_asr_nano",
    "s3fs",
)

import_quietly(*_HEAVY)
