"""What is shown: decisions turned into pages."""
