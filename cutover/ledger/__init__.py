"""Where every record is: an SQLite file built from the topics, and rebuilt from them when it is deleted.

`schema` is the file, `delivery` the rules, `apply` writes, `read` answers questions, `consume` feeds it from Kafka.
"""
