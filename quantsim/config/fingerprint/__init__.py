"""Configuration dictionaries ("run fingerprints") of the published implementation, quantammsim; docs/fingerprints.md."""

from quantsim.config.fingerprint.json_file import read_fingerprint
from quantsim.config.fingerprint.translate import Translation, translate

__all__ = ["Translation", "read_fingerprint", "translate"]
