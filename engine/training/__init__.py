"""How models come to be: labelled sets, fitting, and honest evaluation."""
