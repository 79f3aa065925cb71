"""Sends what drivers report to experiment trackers: TensorBoard and MLflow. The store remains the record."""

from quantsim.tracking.opening import check_tracking, open_tracking
from quantsim.tracking.tracking import Tracking

__all__ = ["Tracking", "check_tracking", "open_tracking"]
