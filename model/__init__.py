"""The speech core, free of Beam: records, errors, audio, VAD, recognisers, alignment and text."""
