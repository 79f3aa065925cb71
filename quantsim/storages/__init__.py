"""Where studies are kept: a journal file, SQLite, a database server, or a proxy in front of one."""
