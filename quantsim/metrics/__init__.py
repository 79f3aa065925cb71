"""The metrics of a pool over one window, and their registry.

A metric maps a :class:`Sample` (the data of one window) and its static :class:`SampleShape` to one number. All metrics are
maximised. To add one, add an entry to a ``METRICS`` table in this package, or a new file with such a table: the registry
finds it. ``docs/metrics.md`` lists all metrics.
"""

from quantsim.metrics.registry import bounded, compute, get_metric, metric_names, needs_of
from quantsim.metrics.sample import Metric, Need, Sample, SampleShape

__all__ = ["Metric", "Need", "Sample", "SampleShape", "bounded", "compute", "get_metric", "metric_names", "needs_of"]
