"""Salesforce: session, queries, sObject collections and Bulk API 2.0.

Reads are tried again after a transient failure. Writes never are: whether a write whose answer got lost may be sent
again is decided by whoever guards the order of versions.
"""

from connectors.salesforce.bulk import Bulk, FailedRow, JobFailed, JobInfo, LandedRow
from connectors.salesforce.collections import Collections, RowResult
from connectors.salesforce.csv_rows import CellRefused, CsvRows
from connectors.salesforce.row_errors import Handling, RowError, handling
from connectors.salesforce.session import Salesforce

__all__ = [
    "Bulk",
    "CellRefused",
    "Collections",
    "CsvRows",
    "FailedRow",
    "Handling",
    "JobFailed",
    "JobInfo",
    "LandedRow",
    "RowError",
    "RowResult",
    "Salesforce",
    "handling",
]
