"""The Visual Practice server: a practice-management API with pages, a delta feed and a feed of deletions.

`schema` says which fields a record has, `storage` keeps records, `generator` and `synthea` fill it, `desk` works in it
like a reception desk, `application` and `admin` speak HTTP.
"""
