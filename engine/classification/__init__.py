"""Reference-free 2D classification of particle images, on the CPU or, where there is one, a GPU."""
