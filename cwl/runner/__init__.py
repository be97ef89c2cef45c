"""Write a job, let cwltool run the workflow, and say what came of it."""
