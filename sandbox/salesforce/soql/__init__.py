"""SOQL: `tokens` and `syntax` read it, `joins`, `dates` and `statement` turn it into SQL, `results` rows into records.

Parents up to five levels, children by sub-select, semi-joins, aggregates, date functions and literals. No TYPEOF, no
GROUP BY ROLLUP or CUBE, no geolocation, no SOSL.
"""
