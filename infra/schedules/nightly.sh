#!/bin/sh
# What cron runs every night: transcribe what is new, say how it went, and try again what another try can help.
#
#   nightly.sh INPUT OUTPUT [OPTIONS OF funasr-beam transcribe]
#
# Exit codes: those of funasr-beam. 3 (storage or cluster away) is tried up to three times; what is committed is kept.
set -u
input=$1
output=$2
shift 2
for pause in 60 600 ""; do
  funasr-beam transcribe "$input" --output "$output" "$@"
  code=$?
  if [ "$code" -ne 3 ] || [ -z "$pause" ]; then
    break
  fi
  sleep "${NIGHTLY_PAUSE:-$pause}"
done
funasr-beam status "$output"
exit "$code"
