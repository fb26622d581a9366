"""What an administrator deploys: custom objects, fields, picklist values and permission sets, as components.

`components` reads them from zip files and requests, `changes` makes and unmakes them, `deployments` keeps the requests
that do many at once, `tooling` shows them as records. XML and SOAP are in `xml` and `soap`.
"""
