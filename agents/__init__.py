"""What moves a record: one thin module a stage, and `agents.apps` that puts a stage's app together.

Agents decode, call pure code, and publish; what they must remember is in a state table. They know nothing of the operator's side.
"""
