"""The functions of :mod:`quantsim.objective.resampling`."""

from quantsim.objective.resampling import daily_metrics, is_resampled, resampled_metrics

__all__ = ["daily_metrics", "is_resampled", "resampled_metrics"]
