"""The database layer of the checkpoint store: locations, engines, tables, rows and statements."""
