"""MLflow: one run per run, in the experiment "quantsim"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quantsim.checkpoints import Run
from quantsim.tracking.entries import Entry
from quantsim.tracking.tracker import Tracker

__all__ = ["Mlflow"]

_RUN = "quantsim.run_id"
_EXPERIMENT = "quantsim"
_LAST = "entry"  # written after everything else of an entry
_STATUSES = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_MOST_METRICS, _MOST_PARAMS, _LONGEST_PARAM = 900, 100, 6000  # of one call


class Mlflow(Tracker):
    """Logs metrics by step, and the study as parameters, to the tracking server or database at a URI."""

    def __init__(self, uri: str) -> None:
        """Connects, and creates the experiment if it does not exist."""
        from mlflow.tracking import MlflowClient

        self._client, self._runs = MlflowClient(tracking_uri=uri), dict[str, str]()
        found = self._client.get_experiment_by_name(_EXPERIMENT)
        self._experiment = found.experiment_id if found else self._client.create_experiment(_EXPERIMENT)

    def begin(self, run: Run) -> set[int]:
        """See :class:`Tracker`."""
        if run.run_id not in self._runs:
            found = self._client.search_runs([self._experiment], f"tags.`{_RUN}` = '{run.run_id}'", max_results=1)
            self._runs[run.run_id] = found[0].info.run_id if found else self._create(run)
        own = self._runs[run.run_id]
        self._client.update_run(own, status="RUNNING")
        return {metric.step for metric in self._client.get_metric_history(own, _LAST)}

    def write(self, run: Run, entry: Entry) -> None:
        """See :class:`Tracker`."""
        from mlflow.entities import Metric

        at = int(1000 * entry.time.timestamp())  # MLflow ignores a metric of equal name, step, time and value
        metrics = [Metric(name, value, at, step) for name, step, value in entry.points]
        for some in _batches([*metrics, Metric(_LAST, entry.step, at, entry.step)], _MOST_METRICS):
            self._client.log_batch(self._runs[run.run_id], metrics=some)

    def end(self, run: Run, status: str) -> None:
        """See :class:`Tracker`."""
        self._client.set_terminated(self._runs[run.run_id], _STATUSES[status])

    def _create(self, run: Run) -> str:
        from mlflow.entities import Param

        tags = {_RUN: run.run_id, "quantsim.driver": run.driver, "quantsim.version": run.version}
        own = self._client.create_run(
            self._experiment, int(1000 * run.started_at.timestamp()), tags, run_name=f"{run.name} ({run.driver})"
        ).info.run_id
        params = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in _leaves(run.config)]
        for some in _batches(params, _MOST_PARAMS):
            self._client.log_batch(own, params=some)
        return str(own)


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the keys of a study that are set, such as ``pool.rule``."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        elif value not in (None, "", [], ()):
            yield f"{prefix}{name}", value


def _batches(values: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
