"""Reads result files of the published implementation, quantammsim, into the checkpoint store.

``result_file`` reads the list that a file holds, entry by entry; ``raw`` and ``entries`` make checkpoints of an
entry; ``importing`` puts them into a store. docs/fingerprints.md says what becomes of what.
"""

from quantsim.checkpoints.published.importing import PublishedResults, import_results, read_results

__all__ = ["PublishedResults", "import_results", "read_results"]
