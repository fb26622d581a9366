"""The Salesforce server: logins, REST, SOQL, Bulk 2.0, files and metadata over one SQLite file.

`schema`, `catalogue`, `custom` and `definitions` say which objects and fields exist, `access` who sees them. `values`,
`columns`, `checks` and `rows` hold what every write must obey, `events`, `relations`, `products`, `grants` what single
objects do beside, `rules` what an administrator built, `recycling` what a delete takes along. `soql` and `queries` read;
`jobs`, `ingest`, `extracts` are Bulk 2.0; `routes` and `application` speak HTTP and know no SQL.
"""
