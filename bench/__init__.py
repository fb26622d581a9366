"""How fast it is, and what it costs: comparisons measured within one run. Nothing here is a test, and no test asserts a time."""
