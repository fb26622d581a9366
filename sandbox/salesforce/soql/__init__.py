"""SOQL: `tokens` and `syntax` read it, `statement` turns it into SQL, `results` turns rows into records.

A subset: SELECT with one parent hop, COUNT() and GROUP BY, WHERE, ORDER BY, LIMIT, OFFSET. No child subqueries,
semi-joins, TYPEOF or functions beyond COUNT, COUNT_DISTINCT, MIN, MAX, SUM, AVG.
"""
