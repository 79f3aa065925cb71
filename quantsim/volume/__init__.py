"""Volume of noise traders that depends on the fee: its model, how pools grow by it, and its fit to the history of a pool."""

from quantsim.volume.growth import VolumeInputs, log_growth, log_volatility, volume_inputs
from quantsim.volume.model import COEFFICIENTS, VolumeModel, VolumeShape

__all__ = [
    "COEFFICIENTS",
    "VolumeInputs",
    "VolumeModel",
    "VolumeShape",
    "log_growth",
    "log_volatility",
    "volume_inputs",
]
