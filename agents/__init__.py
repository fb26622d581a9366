"""What moves a record: one thin module a stage; `agents.apps` and `agents.loaders` put the apps of the stages together, of what is in `agents.stage`.

Agents decode, call pure code, and publish; what they must remember is in a state table. They know nothing of the operator's side.
"""
