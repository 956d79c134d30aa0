"""The schemas of the published tables. Times are float64 seconds on the original recording's clock."""

import pyarrow as pa

SCHEMA_VERSION = 1

_STRING_MAP = pa.map_(pa.string(), pa.string())

RECORDINGS = pa.schema(
    [
        ("recording_id", pa.string()),
        ("uri", pa.string()),
        ("fingerprint", pa.string()),
        ("size_bytes", pa.int64()),
        ("status", pa.string()),
        ("error_code", pa.string()),
        ("error_detail", pa.string()),
        ("attempts", pa.int32()),
        ("container", pa.string()),
        ("codec", pa.string()),
        ("sample_rate", pa.int32()),
        ("num_channels", pa.int32()),
        ("channel_layout", pa.string()),
        ("duration", pa.float64()),
        ("duration_header", pa.float64()),
        ("speech_duration", pa.float64()),
        ("language", pa.string()),
        ("text", pa.string()),
        ("num_segments", pa.int32()),
        ("num_words", pa.int32()),
        ("flags", pa.list_(pa.string())),
        (
            "missing",
            pa.list_(
                pa.struct(
                    [
                        ("channel", pa.int32()),
                        ("start", pa.float64()),
                        ("end", pa.float64()),
                        ("error_code", pa.string()),
                    ]
                )
            ),
        ),
        ("reference", pa.string()),
        ("model_id", pa.string()),
        ("model_sha256", pa.string()),
        ("config_hash", pa.string()),
        ("pipeline_version", pa.string()),
        ("vad_version", pa.string()),
        ("itn_version", pa.string()),
        ("run_id", pa.string()),
        ("cpu_s", pa.float64()),
        ("gpu_s", pa.float64()),
        ("processed_at", pa.timestamp("us", tz="UTC")),
        ("metadata", _STRING_MAP),
        ("schema_version", pa.int32()),
    ]
)

WORD = pa.struct(
    [
        ("word", pa.string()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("confidence", pa.float64()),
        ("raw_start", pa.int32()),
        ("raw_end", pa.int32()),
    ]
)

SEGMENTS = pa.schema(
    [
        ("segment_id", pa.string()),
        ("recording_id", pa.string()),
        ("channel", pa.int32()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("text", pa.string()),
        ("text_raw", pa.string()),
        ("language", pa.string()),
        ("speaker", pa.string()),
        ("avg_logprob", pa.float64()),
        ("confidence", pa.float64()),
        ("finish_reason", pa.string()),
        ("num_tokens", pa.int32()),
        ("chars_per_s", pa.float64()),
        ("flags", pa.list_(pa.string())),
        ("timestamp_source", pa.string()),
        ("snr_db", pa.float64()),
        ("error_code", pa.string()),
        ("reference", pa.string()),
        ("wer", pa.float64()),
        ("cer", pa.float64()),
        ("words", pa.list_(WORD)),
        ("attempt", pa.int32()),
        ("run_id", pa.string()),
    ]
)

SPEECH = pa.schema(
    [
        ("recording_id", pa.string()),
        ("channel", pa.int32()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("run_id", pa.string()),
    ]
)

TABLES = {"recordings": RECORDINGS, "segments": SEGMENTS, "speech": SPEECH}

RUN_COLUMNS = frozenset({"run_id", "attempts", "attempt", "cpu_s", "gpu_s", "processed_at"})
"""Columns that name the run or its cost; two runs over the same input differ in no other."""
