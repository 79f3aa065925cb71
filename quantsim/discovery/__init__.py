"""Finds objects by name, in the modules of a package and in users' files.

An object in a user's file is named ``path/to/file.py:name``. When the user names it, the file is read once, hashed, and
exactly these bytes are run. A name in a stored study runs nothing: the user must name the file again, and its hash must match.
"""

from quantsim.discovery.files import names_in_file, naming_users_files
from quantsim.discovery.guarded import exception_text
from quantsim.discovery.names import SourceName, by_content, is_in_file, is_loadable, is_own, short_name, stored_names
from quantsim.discovery.registry import Registry

__all__ = [
    "Registry",
    "SourceName",
    "by_content",
    "exception_text",
    "is_in_file",
    "is_loadable",
    "is_own",
    "names_in_file",
    "naming_users_files",
    "short_name",
    "stored_names",
]
