"""The page on which a workflow is composed by hand, checked, saved and run."""
