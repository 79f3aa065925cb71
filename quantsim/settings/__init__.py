"""The common base of all tables of a study: immutable, validated, and with the effect of each key declared."""
