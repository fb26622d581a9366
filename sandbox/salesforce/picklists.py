"""The values of the standard picklists, as a new org has them.

Owns data only. None of these picklists is restricted: a value that is not listed is taken, as in most real orgs.
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
