"""The catalogue of labelled micrographs: a database that models learn from."""
