import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from funasr_beam.model.access import AccessUris
from funasr_beam.model.plan_files import PlanFiles
from funasr_beam.model.planning import pack_units
from funasr_beam.model.storage import Folder
from funasr_beam.transforms.planned_units import PlannedUnits
from tests.model.test_plan_files import planned


def test_every_unit_of_a_plan_is_read_once(tmp_path):
    units = list(pack_units((span for one in planned([100.0] * 30) for span in one.spans), 200.0))
    plan = PlanFiles(Folder(str(tmp_path)), "_work/plans/x/000001")
    plan.write_units(units)
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
        found = pipeline | PlannedUnits(plan.output, plan.unit_files(), AccessUris())
        assert_that(found, equal_to(units))
