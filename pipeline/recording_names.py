"""What recordings are called outside of an output: names of files in exports, ids in what tools make of these."""

EXPORTED = "('ok', 'partial', 'no_speech')"
"""Of these statuses are the recordings that have a name, in SQL."""

NAMED_RECORDINGS = f"""
SELECT *, coalesce(nullif(ltrim(stem, '._-'), ''), 'recording') || '-' || left(sha256(identity), 12) AS name
FROM (
  SELECT *,
    CASE WHEN count(*) OVER (PARTITION BY uri) > 1 THEN uri || chr(10) || recording_id ELSE uri END AS identity,
    left(regexp_replace(regexp_extract(
      nfc_normalize(CASE WHEN uri LIKE 'http%' THEN regexp_replace(uri, '[?#].*', '') ELSE uri END),
      '([^/]*?)(\\.[^./]*)?$', 1), '[^\\p{{L}}\\p{{M}}\\p{{N}}._-]+', '_', 'g'), 40) AS stem
  FROM recordings WHERE status IN {EXPORTED}
)
"""
"""The view `recordings` with `name`: the last part of the URI and a hash of all of it, whatever else there is."""
