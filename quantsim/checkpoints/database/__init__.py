"""The database side of the checkpoint store: locations, engines, tables, rows and statements. Nothing here picks or judges."""
