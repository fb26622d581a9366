"""The Salesforce server: OAuth, REST, SOQL and Bulk 2.0 over one SQLite file.

`schema`/`catalogue` say which objects and fields exist; `values`, `columns`, `rows` hold what a write must obey; `soql`
reads; `jobs`, `ingest`, `extracts` are Bulk 2.0; `routes` and `application` speak HTTP and know no SQL.
"""
