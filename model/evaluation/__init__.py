"""How right a transcript is: named normalisers, error counts, aligned differences, intervals, errors of times."""
