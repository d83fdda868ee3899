"""The scripted model and the show that `make demo` runs."""
