"""Prints the Markdown table of all metrics for ``docs/metrics.md``: ``python -m quantsim.metrics.table``."""

from __future__ import annotations

from quantsim.metrics.registry import get_metric, metric_names
from quantsim.metrics.sample import Metric, Need

__all__ = ["markdown_table"]


def markdown_table() -> str:
    """Returns a header and one row per metric."""
    header = ["| name | meaning | formula | unit | needs | differentiable |", "|---|---|---|---|---|---|"]
    return "\n".join([*header, *(_row(get_metric(name)) for name in metric_names())])


def _row(metric: Metric) -> str:
    formula = metric.formula.replace("|", r"\|")  # a bar would end the cell
    needs = ", ".join(str(need.name) for need in Need if need in metric.needs)
    useful = "yes" if metric.differentiable else "no"
    return f"| `{metric.name}` | {metric.description} | `{formula}` | {metric.unit} | {needs} | {useful} |"


if __name__ == "__main__":
    print(markdown_table())
