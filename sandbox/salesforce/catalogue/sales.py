"""Opportunities, products, price books and campaigns.

Owns data only.
"""

from sandbox.salesforce.catalogue.fields import (
    CREATE_ONLY,
    READ_ONLY,
    active,
    area,
    day,
    first,
    flag,
    instant,
    last,
    lookup,
    number,
    picklist,
    record_type,
    text,
    whole,
)
from sandbox.salesforce.picklists import (
    CAMPAIGN_STATUSES,
    CAMPAIGN_TYPES,
    CLOSED_STAGES,
    CONTACT_ROLES,
    FORECAST_CATEGORIES,
    FORECAST_NAMES,
    LEAD_SOURCES,
    OPPORTUNITY_TYPES,
    PRODUCT_FAMILIES,
    STAGES,
)
from sandbox.salesforce.schema import Field, SObject

PLAIN = {"mruEnabled": False, "searchable": False, "feedEnabled": False, "layoutable": False}


def objects() -> list[SObject]:
    """The objects of this module, without custom fields."""
    listed = [
        SObject("Campaign", "Campaign", "Campaigns", "701", activities=True),
        SObject("Opportunity", "Opportunity", "Opportunities", "006", activities=True),
        SObject("OpportunityContactRole", "Opportunity Contact Role", "Opportunity Contact Role", "00K", flags=PLAIN),
        SObject("Product2", "Product", "Products", "01t", activities=True),
        SObject("Pricebook2", "Price Book", "Price Books", "01s", flags={"feedEnabled": False}),
        SObject("PricebookEntry", "Price Book Entry", "Price Book Entries", "01u", flags={"feedEnabled": False}),
        SObject("OpportunityLineItem", "Opportunity Product", "Opportunity Product", "00k", flags=PLAIN),
    ]
    filled = (_campaign(), _opportunity(), _role(), _product(), _pricebook(), _entry(), _item())
    for each, fields in zip(listed, filled, strict=True):
        each.add(fields)
    return listed


def _campaign() -> list[Field]:
    return [
        *first("Campaign"),
        text("Name", 80, "Name", required=True, name_field=True, indexed=True),
        lookup("ParentId", "Campaign", label="Parent Campaign ID", child="ChildCampaigns"),
        picklist("Type", CAMPAIGN_TYPES),
        picklist("Status", CAMPAIGN_STATUSES),
        day("StartDate"),
        day("EndDate"),
        number("ExpectedRevenue", "currency", 0),
        number("BudgetedCost", "currency", 0),
        flag("IsActive", "Active"),
        area("Description"),
        *last(viewed=True),
        active(),
        record_type(),
    ]


def _opportunity() -> list[Field]:
    closed = ", ".join(f"'{stage}'" for stage in CLOSED_STAGES)
    return [
        *first("Opportunity"),
        lookup("AccountId", "Account", label="Account ID", cascade=True, child="Opportunities"),
        flag("IsPrivate", "Private"),
        text("Name", 120, required=True, name_field=True, indexed=True),
        area("Description"),
        picklist("StageName", STAGES, required=True, label="Stage"),
        number("Amount", "currency"),
        number("Probability", "percent", 0, "Probability (%)", 3),
        number("ExpectedRevenue", "currency", 2, "Expected Amount", formula="Amount * Probability / 100", **READ_ONLY),
        number("TotalOpportunityQuantity", "double", 2, "Quantity"),
        day("CloseDate", required=True),
        picklist("Type", OPPORTUNITY_TYPES, label="Opportunity Type"),
        text("NextStep", 255),
        picklist("LeadSource", LEAD_SOURCES),
        flag("IsClosed", "Closed", formula=f"StageName IN ({closed})", **READ_ONLY),
        flag("IsWon", "Won", formula="StageName = 'Closed Won'", **READ_ONLY),
        picklist("ForecastCategory", FORECAST_CATEGORIES, 40, restricted=True, nillable=False, **READ_ONLY),
        picklist("ForecastCategoryName", FORECAST_NAMES, 255, "Forecast Category"),
        lookup("CampaignId", "Campaign", label="Campaign ID", child="Opportunities"),
        flag("HasOpportunityLineItem", "Has Line Item", **READ_ONLY),
        lookup("Pricebook2Id", "Pricebook2", label="Price Book ID", child="Opportunities"),
        *last(viewed=True),
        active(),
        whole("PushCount", digits=4, **READ_ONLY),
        instant("LastStageChangeDate", **READ_ONLY),
        whole("FiscalQuarter", digits=9, **READ_ONLY),
        whole("FiscalYear", digits=9, **READ_ONLY),
        text("Fiscal", 6, "Fiscal Period", **READ_ONLY),
        lookup("ContactId", "Contact", label="Contact ID", child="Opportunities", **CREATE_ONLY),
        flag("HasOpenActivity", "Has Open Activity", **READ_ONLY),
        flag("HasOverdueTask", "Has Overdue Task", **READ_ONLY),
        record_type(),
    ]


def _role() -> list[Field]:
    both = {"cascade": True, "required": True, "child": "OpportunityContactRoles", **CREATE_ONLY}
    return [
        *first("Contact Role"),
        lookup("OpportunityId", "Opportunity", label="Opportunity ID", **both),
        lookup("ContactId", "Contact", label="Contact ID", **(both | {"updateable": True})),
        picklist("Role", CONTACT_ROLES),
        flag("IsPrimary", "Primary"),
        *last(owner=()),
    ]


def _product() -> list[Field]:
    return [
        Field(name="Id", label="Product ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY),
        text("Name", 255, "Product Name", required=True, name_field=True, indexed=True),
        text("ProductCode", 255, id_lookup=False),
        text("Description", 4000, "Product Description", type="textarea"),
        flag("IsActive", "Active"),
        *last(owner=()),
        picklist("Family", PRODUCT_FAMILIES, label="Product Family"),
        text("ExternalId", 255, "External ID"),
        text("DisplayUrl", 1000, "Display URL", type="url"),
        text("QuantityUnitOfMeasure", 255, type="picklist"),
        flag("IsDeleted", "Deleted", defaulted=True, **READ_ONLY),
        flag("IsArchived", "Archived", **READ_ONLY),
        instant("LastViewedDate", **READ_ONLY),
        instant("LastReferencedDate", **READ_ONLY),
        text("StockKeepingUnit", 180, "Product SKU"),
    ]


def _pricebook() -> list[Field]:
    return [
        *first("Price Book"),
        text("Name", 255, "Price Book Name", required=True, name_field=True, indexed=True),
        *last(owner=(), viewed=True),
        flag("IsActive", "Active"),
        flag("IsArchived", "Archived", **READ_ONLY),
        text("Description", 255),
        flag("IsStandard", "Is Standard Price Book", **READ_ONLY),
    ]


def _entry() -> list[Field]:
    both = {"cascade": True, "required": True, "child": "PricebookEntries", **CREATE_ONLY}
    return [
        Field(
            name="Id", label="Price Book Entry ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY
        ),
        text("Name", 255, "Product Name", name_field=True, **READ_ONLY),
        lookup("Pricebook2Id", "Pricebook2", label="Price Book ID", **(both | {"restricts": True, "cascade": False})),
        lookup("Product2Id", "Product2", label="Product ID", **(both | {"restricts": True, "cascade": False})),
        number("UnitPrice", "currency", 2, "List Price", required=True),
        flag("IsActive", "Active"),
        flag("UseStandardPrice", "Use Standard Price"),
        *last(owner=()),
        text("ProductCode", 255, **READ_ONLY),
        flag("IsDeleted", "Deleted", defaulted=True, **READ_ONLY),
        flag("IsArchived", "Archived", **READ_ONLY),
    ]


def _item() -> list[Field]:
    return [
        Field(name="Id", label="Line Item ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY),
        lookup(
            "OpportunityId", "Opportunity", cascade=True, required=True, child="OpportunityLineItems", **CREATE_ONLY
        ),
        whole("SortOrder", digits=9),
        lookup("PricebookEntryId", "PricebookEntry", restricts=True, child="OpportunityLineItems", **CREATE_ONLY),
        lookup(
            "Product2Id", "Product2", label="Product ID", restricts=True, child="OpportunityLineItems", **CREATE_ONLY
        ),
        text("ProductCode", 255, **READ_ONLY),
        text("Name", 376, "Opportunity Product Name", name_field=True, **READ_ONLY),
        number("Quantity", "double", required=True),
        number("TotalPrice", "currency"),
        number("UnitPrice", "currency", 2, "Sales Price"),
        number("ListPrice", "currency", **READ_ONLY),
        day("ServiceDate", "Date"),
        text("Description", 255, "Line Description"),
        *last(owner=()),
        flag("IsDeleted", "Deleted", defaulted=True, **READ_ONLY),
    ]
