"""One trial, inside the worker: data and start in, phases timed, one row and its arrays out."""
