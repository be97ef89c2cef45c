"""How the image network comes to be: what it is asked, what it is shown, and its training."""
