"""Translates configuration dictionaries ("run fingerprints") of quantammsim. See docs/fingerprints.md."""

from quantsim.config.fingerprint.json_file import read_fingerprint
from quantsim.config.fingerprint.translate import Translation, translate

__all__ = ["Translation", "read_fingerprint", "translate"]
