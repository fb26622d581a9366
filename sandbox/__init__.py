"""Two servers that behave like Visual Practice and like Salesforce, for trying Carryover without either.

Owns the servers, their data and their faults. Imports nothing of the product, so that it cannot share its mistakes.
Started by `python -m sandbox up`, by `carryover sandbox up`, and by tests through `sandbox.process`.
"""
