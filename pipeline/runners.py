"""Which engine runs the pipeline."""

from funasr_beam.pipeline.config import RunnerConfig
from funasr_beam.pipeline.engines.base import Engine


def make_engine(config: RunnerConfig) -> Engine:
    """The engine that the user named; on a cluster, it is asked how big it is.

    Raises:
        funasr_beam.model.errors.UsageError: an option that it needs is missing.
        funasr_beam.model.errors.RunError: it cannot be reached.
    """
    if config.name == "flink":
        from funasr_beam.pipeline.engines.flink import FlinkEngine

        return FlinkEngine(config)
    if config.name == "spark":
        from funasr_beam.pipeline.engines.spark import SparkEngine

        return SparkEngine(config)
    if config.name == "dataflow":
        from funasr_beam.pipeline.engines.dataflow import DataflowEngine

        return DataflowEngine(config)
    from funasr_beam.pipeline.engines.local import LocalEngine

    return LocalEngine(config)
