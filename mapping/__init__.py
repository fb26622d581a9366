"""What becomes what: the map document, its plans and its comparisons.

Owns the meaning of the operator's YAML map. Pure: it does no I/O beyond reading the default map shipped beside it,
and knows neither Kafka nor HTTP. Called by the map and verify agents, and by the operator's commands.
"""
