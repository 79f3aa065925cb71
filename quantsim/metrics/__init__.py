"""The metrics of a pool's run over one window, and their registry.

A metric reads a :class:`Sample` (what is known of one window) and its static :class:`SampleShape`, and returns one
number; all metrics are to be maximised. To add one, add an entry to the ``METRICS`` table of a family file in this
package, or a new file with such a table: the registry finds it. ``docs/metrics.md`` lists them all.
"""

from quantsim.metrics.registry import bounded, compute, get_metric, metric_names, needs_of
from quantsim.metrics.sample import Metric, Need, Sample, SampleShape

__all__ = ["Metric", "Need", "Sample", "SampleShape", "bounded", "compute", "get_metric", "metric_names", "needs_of"]
