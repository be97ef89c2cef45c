"""Statistical models that correct the expert's prior belief."""
