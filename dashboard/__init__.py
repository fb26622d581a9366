"""What people and Prometheus see of a cutover: the status page, the JSON behind it, and the metrics.

Knows nothing of where the facts come from: it is handed a `status.Status` and a `lag.Lag`.
"""
