"""The error of training: something a person has to put right."""


class TrainingError(ValueError):
    """A corpus, a configuration or a saved state that training cannot use."""
