"""The schemas of the published tables. Times are float64 seconds on the original recording's clock."""

import pyarrow as pa

SCHEMA_VERSION = 2

_GAP = pa.struct([("channel", pa.int32()), ("start", pa.float64()), ("end", pa.float64()), ("error_code", pa.string())])

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

ERRORS = pa.struct([(kind, pa.int64()) for kind in ("hits", "substitutions", "deletions", "insertions")])
"""Counts of an alignment with a reference."""

_COLUMNS: dict[str, list[tuple[str, pa.DataType, str]]] = {
    "recordings": [
        ("recording_id", pa.string(), "Hash of uri and fingerprint, or the manifest's id."),
        ("uri", pa.string(), "Where the recording is."),
        ("fingerprint", pa.string(), "The storage's ETag, or size and modification time."),
        ("size_bytes", pa.int64(), "Size of the file."),
        ("status", pa.string(), "ok, partial, no_speech, failed or skipped."),
        ("error_code", pa.string(), "Cause of failed, partial or skipped; see causes.md."),
        ("error_detail", pa.string(), "What happened, in words."),
        ("attempts", pa.int32(), "How often the recording was tried."),
        ("container", pa.string(), "Container format."),
        ("codec", pa.string(), "Audio codec."),
        ("sample_rate", pa.int32(), "Sample rate of the file (Hz)."),
        ("num_channels", pa.int32(), "Channels of the file."),
        ("audio_streams", pa.int32(), "Audio streams of the file; the first one is transcribed."),
        ("channel_layout", pa.string(), "mono, stereo (channels differ), dual_mono (all channels the same)."),
        ("duration", pa.float64(), "Audio that was decoded."),
        ("duration_header", pa.float64(), "Duration as the container declares it."),
        ("speech_duration", pa.float64(), "Raw speech, summed over the channels."),
        ("language", pa.string(), "The language of most of it, by time; see segments."),
        (
            "text",
            pa.string(),
            "The transcript, by time over all channels; null where there is none because of a failure.",
        ),
        ("num_segments", pa.int32(), "Rows in segments."),
        ("num_characters", pa.int64(), "Characters of the text; 0 also where there is none."),
        ("num_words", pa.int32(), "Words that have a time."),
        ("flags", pa.list_(pa.string()), "All flags of its segments."),
        ("missing", pa.list_(_GAP), "Stretches without a transcript, with the cause."),
        ("reference", pa.string(), "Reference text of the manifest."),
        ("wer", pa.float64(), "Errors over words of the reference; failed and empty transcripts are all deletions."),
        ("cer", pa.float64(), "Errors over characters of the reference, spaces apart."),
        ("mixed_error_rate", pa.float64(), "Errors over Chinese and Japanese characters and words of other scripts."),
        ("word_errors", ERRORS, "What wer is made of."),
        ("character_errors", ERRORS, "What cer is made of."),
        ("mixed_errors", ERRORS, "What mixed_error_rate is made of."),
        ("normalizer", pa.string(), "The rules for what is an error, with their version; see evaluation.md."),
        ("confidence", pa.float64(), "Mean over its segments, by length; so are the five below."),
        ("chars_per_s", pa.float64(), "Characters of text_raw for each second of segments."),
        ("snr_db", pa.float64(), "Signal-to-noise ratio."),
        ("clipping", pa.float64(), "Share of samples at full scale."),
        ("bandwidth_hz", pa.float64(), "Up to which frequency there is sound."),
        ("speech_probability", pa.float64(), "How sure the VAD was of the speech."),
        ("model_id", pa.string(), "The model."),
        ("model_sha256", pa.string(), "Checksum of its weights; null where they are remote."),
        ("config_hash", pa.string(), "Hash of all settings that can change the text."),
        ("pipeline_version", pa.string(), "Version of funasr-beam."),
        ("vad_version", pa.string(), "Version of the voice activity detector."),
        ("itn_version", pa.string(), "Version of the ITN rules."),
        ("run_id", pa.string(), "The run that wrote the row."),
        ("decode_s", pa.float64(), "Seconds of decoding."),
        ("vad_s", pa.float64(), "Seconds of VAD and cutting."),
        ("recognize_s", pa.float64(), "Seconds of recognition, by share of the batch."),
        ("text_s", pa.float64(), "Seconds of text and times."),
        ("cpu_s", pa.float64(), "Seconds of work: decoding, VAD, recognition, text."),
        ("gpu_s", pa.float64(), "Seconds for which it had a GPU, by share of the batch."),
        ("processed_at", pa.timestamp("us", tz="UTC"), "When the row was written."),
        ("metadata", pa.map_(pa.string(), pa.string()), "All other columns of the manifest."),
        ("schema_version", pa.int32(), "Version of this schema."),
    ],
    "segments": [
        ("segment_id", pa.string(), "Recording, channel and start in milliseconds."),
        ("recording_id", pa.string(), "The recording."),
        ("channel", pa.int32(), "Channel of the file, from 0."),
        ("start", pa.float64(), "Start of the segment."),
        ("end", pa.float64(), "End of the segment."),
        ("text", pa.string(), "The final text; null where recognition failed."),
        ("text_raw", pa.string(), "The text as the model said it."),
        ("language", pa.string(), "Language as told, as the model named it, or as the text looks."),
        (
            "language_source",
            pa.string(),
            "Who named the language: told, model, detected; undetermined: too little text to tell; null: no text.",
        ),
        ("language_score", pa.float64(), "How sure the detector is, 0 to 1; under 0.6 it names no language."),
        ("speaker", pa.string(), "Not filled yet."),
        ("avg_logprob", pa.float64(), "Mean log-probability of the tokens."),
        ("confidence", pa.float64(), "exp(avg_logprob), 0 to 1: the geometric mean of the tokens' probabilities."),
        ("finish_reason", pa.string(), "stop, or length where the token budget ended it."),
        ("num_tokens", pa.int32(), "Tokens that the model wrote."),
        ("chars_per_s", pa.float64(), "Characters of text_raw for each second."),
        (
            "flags",
            pa.list_(pa.string()),
            "What the guards found, and why an aligner gave no times; see below. Empty: nothing.",
        ),
        ("timestamp_source", pa.string(), "Where the word times come from: ctc, qwen3, wav2vec2 or none."),
        (
            "alignment_score",
            pa.float64(),
            "How well text and sound fit, 0 to 1; too low: no word times.",
        ),
        ("snr_db", pa.float64(), "Signal-to-noise ratio, estimated from speech and pauses."),
        ("clipping", pa.float64(), "Share of samples at full scale, 0 to 1."),
        ("bandwidth_hz", pa.float64(), "Up to which frequency there is sound, in steps of 250 Hz."),
        (
            "speech_probability",
            pa.float64(),
            "The VAD's probability of speech, mean over the raw speech of the segment.",
        ),
        ("error_code", pa.string(), "Why there is no text."),
        ("reference", pa.string(), "The recording's reference, where this is its only segment."),
        ("wer", pa.float64(), "As in recordings, where this is its only segment."),
        ("cer", pa.float64(), "As in recordings, where this is its only segment."),
        (
            "words",
            pa.list_(WORD),
            "Words with times; raw_start, raw_end: span in the words of text_raw; confidence: 0 to 1.",
        ),
        ("attempt", pa.int32(), "How often the segment was recognised: more than once where a guard fired."),
        ("run_id", pa.string(), "The run that wrote the row."),
    ],
    "speech": [
        ("recording_id", pa.string(), "The recording."),
        ("channel", pa.int32(), "Channel of the file, from 0."),
        ("start", pa.float64(), "Start of raw speech, before merging and padding."),
        ("end", pa.float64(), "End of raw speech."),
        ("run_id", pa.string(), "The run that wrote the row."),
    ],
}

TABLES = {table: pa.schema([(name, kind) for name, kind, _ in columns]) for table, columns in _COLUMNS.items()}
"""Schema of each table by its name."""

DESCRIPTIONS = {table: {name: text for name, _, text in columns} for table, columns in _COLUMNS.items()}
"""What each column of a table means."""

RUN_COLUMNS = frozenset(
    {"run_id", "attempts", "attempt", "processed_at"} | {"cpu_s", "gpu_s", "decode_s", "vad_s", "recognize_s", "text_s"}
)
"""Columns that name the run or its cost; two runs over the same input differ in no other."""
