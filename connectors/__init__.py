"""The two outside services, as typed async clients.

Owns HTTP, credentials, retries of safe calls, and what the services' errors mean to a caller. Knows nothing of maps,
topics or Kafka. Called by the agents and by the operator's commands.
"""
