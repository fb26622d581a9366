"""What `/limits` tells beside what is counted elsewhere: the usual allowances of an org, all of them unused.

Owns data only. Source of fact: the 43 names of a recorded answer; the values of a Developer Edition where they are known,
else usual ones.
"""

COUNTED = (  # by others: `usage`, `allocations`, `documents`, the tables
    *("DailyApiRequests", "DailyBulkApiBatches", "DailyBulkV2QueryJobs", "DataStorageMB", "FileStorageMB"),
)
UNUSED = {
    "ActiveScratchOrgs": 3,
    "AnalyticsExternalDataSizeMB": 40_960,
    "ConcurrentAsyncGetReportInstances": 200,
    "ConcurrentSyncReportRuns": 20,
    "DailyAnalyticsDataflowJobExecutions": 60,
    "DailyAsyncApexExecutions": 250_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyDurableGenericStreamingApiEvents": 10_000,
    "DailyDurableStreamingApiEvents": 10_000,
    "DailyEinsteinDiscoveryPredictAPICalls": 50_000,
    "DailyGenericStreamingApiEvents": 10_000,
    "DailyScratchOrgs": 6,
    "DailyStandardVolumePlatformEvents": 10_000,
    "DailyStreamingApiEvents": 10_000,
    "DailyWorkflowEmails": 100_000,
    "DurableStreamingApiConcurrentClients": 20,
    "HourlyAsyncReportRuns": 1_200,
    "HourlyDashboardRefreshes": 200,
    "HourlyDashboardResults": 5_000,
    "HourlyDashboardStatuses": 999_999_999,
    "HourlyLongTermIdMapping": 100_000,
    "HourlyManagedContentPublicRequests": 50_000,
    "HourlyODataCallout": 20_000,
    "HourlyPublishedPlatformEvents": 50_000,
    "HourlyPublishedStandardVolumePlatformEvents": 1_000,
    "HourlyShortTermIdMapping": 100_000,
    "HourlySyncReportRuns": 500,
    "HourlyTimeBasedWorkflow": 1_000,
    "MassEmail": 5_000,
    "MonthlyPlatformEvents": 300_000,
    "MonthlyPlatformEventsUsageEntitlement": 0,
    "Package2VersionCreates": 6,
    "Package2VersionCreatesWithoutValidation": 500,
    "PermissionSets": 1_500,
    "PrivateConnectOutboundCalloutHourlyLimitMB": 0,
    "PublishCallbackUsageInApex": 2_400,
    "SingleEmail": 5_000,
    "StreamingApiConcurrentClients": 20,
}
NESTED = {"PermissionSets": {"CreateCustom": 1_000}}
RECORD_KILOBYTES = 2  # that most records count
DATA_STORAGE_MB = 10_240


def unused() -> dict[str, dict[str, object]]:
    """The allowances that nothing here uses."""
    shown: dict[str, dict[str, object]] = {name: _pair(most) for name, most in UNUSED.items()}
    for name, inner in NESTED.items():
        shown[name] |= {key: _pair(most) for key, most in inner.items()}
    return shown


def data_storage(records: int) -> dict[str, object]:
    """The data storage with so many records in it."""
    used = -(-records * RECORD_KILOBYTES // 1024)
    return {"Max": DATA_STORAGE_MB, "Remaining": max(0, DATA_STORAGE_MB - used)}


def _pair(most: int) -> dict[str, object]:
    return {"Max": most, "Remaining": most}
