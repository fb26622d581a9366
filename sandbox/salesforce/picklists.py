"""The values of the standard picklists, as a new org has them.

Owns data only. Whether a picklist is restricted is said where it is used: most take values that are not listed, as in most
real orgs.
"""

INDUSTRIES = (
    *(
        "Agriculture",
        "Apparel",
        "Banking",
        "Biotechnology",
        "Chemicals",
        "Communications",
        "Construction",
        "Consulting",
    ),
    *("Education", "Electronics", "Energy", "Engineering", "Entertainment", "Environmental", "Finance"),
    *("Food & Beverage", "Government", "Healthcare", "Hospitality", "Insurance", "Machinery", "Manufacturing", "Media"),
    *("Not For Profit", "Recreation", "Retail", "Shipping", "Technology", "Telecommunications", "Transportation"),
    *("Utilities", "Other"),
)
ACCOUNT_TYPES = (
    *("Prospect", "Customer - Direct", "Customer - Channel", "Channel Partner / Reseller", "Installation Partner"),
    *("Technology Partner", "Other"),
)
OWNERSHIPS = ("Public", "Private", "Subsidiary", "Other")
RATINGS = ("Hot", "Warm", "Cold")
SALUTATIONS = ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx.")
LEAD_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
CLOSED_STAGES = ("Closed Won", "Closed Lost")
STAGES = (
    *("Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers"),
    *("Perception Analysis", "Proposal/Price Quote", "Negotiation/Review", *CLOSED_STAGES),
)
CLEAN_STATUSES = ("Matched", "Different", "Acknowledged", "NotFound", "Inactive", "Pending", "SelectMatch", "Skipped")
CONTACT_ROLES = (
    *("Business User", "Decision Maker", "Economic Buyer", "Economic Decision Maker", "Evaluator"),
    *("Executive Sponsor", "Influencer", "Technical Buyer", "Other"),
)
LEAD_STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted")
CASE_TYPES = ("Mechanical", "Electrical", "Electronic", "Structural", "Other")
CASE_STATUSES = ("New", "Working", "Escalated", "Closed")
CASE_REASONS = (
    "Installation",
    "Equipment Complexity",
    "Performance",
    "Breakdown",
    "Equipment Design",
    "Feedback",
    "Other",
)
CASE_ORIGINS = ("Phone", "Email", "Web")
CASE_PRIORITIES = ("High", "Medium", "Low")
OPPORTUNITY_TYPES = (
    *(
        "Existing Customer - Upgrade",
        "Existing Customer - Replacement",
        "Existing Customer - Downgrade",
        "New Customer",
    ),
)
FORECAST_CATEGORIES = ("Omitted", "Pipeline", "BestCase", "MostLikely", "Forecast", "Closed")
FORECAST_NAMES = ("Omitted", "Pipeline", "Best Case", "Most Likely", "Commit", "Closed")
CAMPAIGN_TYPES = ("Conference", "Webinar", "Trade Show", "Public Relations", "Email", "Telemarketing", "Other")
CAMPAIGN_STATUSES = ("Planned", "In Progress", "Completed", "Aborted")
PRODUCT_FAMILIES = ("None",)
SUBJECTS = ("Call", "Email", "Meeting", "Send Letter/Quote", "Other")
SHOW_AS = ("Busy", "OutOfOffice", "Free")
EVENT_KINDS = ("0", "1", "2")
EVENT_SUBTYPES = ("Event",)
TASK_SUBTYPES = ("Task", "Email", "ListEmail", "Cadence", "Call", "LinkedIn")
TASK_STATUSES = ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")
TASK_PRIORITIES = ("High", "Normal", "Low")
RECURRENCES = (
    *("RecursDaily", "RecursEveryWeekday", "RecursMonthly", "RecursMonthlyNth", "RecursWeekly", "RecursYearly"),
    "RecursYearlyNth",
)
INSTANCES = ("First", "Second", "Third", "Fourth", "Last")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)
ZONES = (
    *("Pacific/Auckland", "Australia/Sydney", "Asia/Tokyo", "Asia/Kolkata", "Europe/Athens", "Europe/Berlin"),
    *("Europe/London", "GMT", "America/Halifax", "America/New_York", "America/Chicago", "America/Denver"),
    *("America/Phoenix", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu"),
)
LOCALES = ("en_US", "en_GB", "en_CA", "de_DE", "fr_FR", "es_ES", "it_IT", "ja_JP", "nl_NL", "pt_BR")
LANGUAGES = ("en_US", "de", "es", "fr", "it", "ja", "nl_NL", "pt_BR")
USER_TYPES = (
    *("Standard", "PowerPartner", "PowerCustomerSuccess", "CustomerSuccess", "Guest", "CspLitePortal", "CsnOnly"),
    "SelfService",
)
GROUP_TYPES = ("Regular", "Role", "RoleAndSubordinates", "Organization", "Queue")
SET_TYPES = ("Regular", "Standard", "Session", "Group")
EDITIONS = ("Team Edition", "Professional Edition", "Enterprise Edition", "Developer Edition", "Unlimited Edition")
ACCURACIES = (
    *("Address", "NearAddress", "Block", "Street", "ExtendedZip", "Zip", "Neighborhood", "City", "County", "State"),
    "Unknown",
)
SHARING = ("A", "R")
PUBLISH_STATUSES = ("P", "R", "U")
FILE_ORIGINS = ("C", "H")
LOCATIONS = ("S", "E", "L")
SHARE_TYPES = ("V", "C", "I")
VISIBILITIES = ("AllUsers", "InternalUsers", "SharedUsers")
