"""What is decided: evidence, models, kinds of decision, and the steps between them."""
