"""Events, tasks, notes and attachments: what hangs on other records.

Owns data only. The 48 fields of Event are those of a recorded describe. A lookup that `grows` points to every object
that allows activities; `definitions` adds custom ones.
"""

from sandbox.salesforce.catalogue.fields import (
    CREATE_ONLY,
    READ_ONLY,
    area,
    day,
    first,
    flag,
    instant,
    last,
    lookup,
    picklist,
    record_type,
    text,
    whole,
)
from sandbox.salesforce.picklists import (
    EVENT_KINDS,
    EVENT_SUBTYPES,
    INSTANCES,
    MONTHS,
    RECURRENCES,
    SHOW_AS,
    SUBJECTS,
    TASK_PRIORITIES,
    TASK_STATUSES,
    TASK_SUBTYPES,
    ZONES,
)
from sandbox.salesforce.schema import Field, SObject

WHAT = ("Account", "Campaign", "Case", "Opportunity", "Product2")
PARENTS = ("Account", "Campaign", "Case", "Contact", "Event", "Lead", "Opportunity", "Product2", "Task")
HIDDEN = {"searchable": False, "mruEnabled": False, "feedEnabled": False}


def objects() -> list[SObject]:
    """The objects of this module, without custom fields."""
    listed = [
        SObject("Event", "Event", "Events", "00U"),
        SObject("Task", "Task", "Tasks", "00T"),
        SObject("Note", "Note", "Notes", "002", flags=HIDDEN | {"layoutable": False}),
        SObject("Attachment", "Attachment", "Attachments", "00P", flags=HIDDEN | {"layoutable": False}),
    ]
    for each, fields in zip(listed, (_event(), _task(), _note(), _attachment()), strict=True):
        each.add(fields)
    return listed


def _event() -> list[Field]:
    return [
        Field(name="Id", label="Activity ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY),
        lookup("WhoId", "Contact", "Lead", label="Name ID", cascade=True, child="Events"),
        lookup("WhatId", *WHAT, label="Related To ID", cascade=True, child="Events", grows=True),
        text("Subject", 255, type="combobox", name_field=True, picklist=SUBJECTS),
        text("Location", 255),
        flag("IsAllDayEvent", "All-Day Event"),
        instant("ActivityDateTime", "Due Date Time"),
        day("ActivityDate", "Due Date Only"),
        whole("DurationInMinutes", "Duration"),
        instant("StartDateTime", "Start Date Time"),
        instant("EndDateTime", "End Date Time"),
        day("EndDate", "End Date", **READ_ONLY),
        area("Description"),
        lookup("AccountId", "Account", label="Account ID", child="Events", **READ_ONLY),
        *last(owner=("Calendar", "User"))[:1],
        flag("IsPrivate", "Private"),
        picklist("ShowAs", SHOW_AS, 40, "Show Time As", default="Busy", defaulted=True, restricted=True),
        flag("IsDeleted", "Deleted", defaulted=True, **READ_ONLY),
        flag("IsChild", "Is Child", **READ_ONLY),
        flag("IsGroupEvent", "Is Group Event", **READ_ONLY),
        picklist("GroupEventType", EVENT_KINDS, 40, restricted=True, **READ_ONLY),
        *last(owner=()),
        flag("IsArchived", "Archived", **READ_ONLY),
        lookup("RecurrenceActivityId", "Event", child="RecurringEvents", **READ_ONLY),
        flag("IsRecurrence", "Create Recurring Series of Events", **CREATE_ONLY),
        instant("RecurrenceStartDateTime", "Recurrence Start"),
        *_recurrence(),
        instant("ReminderDateTime", "Reminder Date/Time"),
        flag("IsReminderSet", "Reminder Set"),
        picklist("EventSubtype", EVENT_SUBTYPES, 40, default="Event", restricted=True, **CREATE_ONLY),
        flag("IsRecurrence2Exclusion", "Historical Event, Not Following Recurrence", **READ_ONLY),
        text("Recurrence2PatternText", 512, "Recurrence Pattern", type="textarea"),
        text("Recurrence2PatternVersion", 40, "Pattern Version", type="picklist", restricted=True, picklist=("1",)),
        flag("IsRecurrence2", "Repeat", **READ_ONLY),
        flag("IsRecurrence2Exception", "Is Exception", **READ_ONLY),
        instant("Recurrence2PatternStartDate", "Recurrence Pattern Start Date"),
        text("Recurrence2PatternTimeZone", 255, "Recurrence Pattern Time Zone Reference"),
        record_type(),
    ]


def _recurrence() -> list[Field]:
    return [
        day("RecurrenceEndDateOnly", "Recurrence End"),
        picklist("RecurrenceType", RECURRENCES, 40, restricted=True),
        whole("RecurrenceInterval", digits=9),
        whole("RecurrenceDayOfWeekMask", digits=9),
        whole("RecurrenceDayOfMonth", digits=9),
        picklist("RecurrenceInstance", INSTANCES, 40, restricted=True),
        picklist("RecurrenceMonthOfYear", MONTHS, 40, restricted=True),
        picklist("RecurrenceTimeZoneSidKey", ZONES, 40, "Recurrence Time Zone", restricted=True),
    ]


def _task() -> list[Field]:
    return [
        Field(name="Id", label="Activity ID", type="id", length=18, id_lookup=True, defaulted=True, **READ_ONLY),
        lookup("WhoId", "Contact", "Lead", label="Name ID", cascade=True, child="Tasks"),
        lookup("WhatId", *WHAT, label="Related To ID", cascade=True, child="Tasks", grows=True),
        text("Subject", 255, type="combobox", name_field=True, picklist=SUBJECTS),
        day("ActivityDate", "Due Date Only"),
        picklist("Status", TASK_STATUSES, default="Not Started", defaulted=True, nillable=False),
        picklist("Priority", TASK_PRIORITIES, default="Normal", defaulted=True, nillable=False),
        flag("IsHighPriority", "High Priority", formula="Priority = 'High'", **READ_ONLY),
        *last(owner=("Group", "User"))[:1],
        area("Description"),
        flag("IsDeleted", "Deleted", defaulted=True, **READ_ONLY),
        lookup("AccountId", "Account", label="Account ID", child="Tasks", **READ_ONLY),
        flag("IsClosed", "Closed", formula="Status = 'Completed'", **READ_ONLY),
        *last(owner=()),
        flag("IsArchived", "Archived", **READ_ONLY),
        whole("CallDurationInSeconds", "Call Duration"),
        picklist("CallType", ("Internal", "Inbound", "Outbound"), 40, restricted=True),
        text("CallDisposition", 255, "Call Result"),
        text("CallObject", 255, "Call Object Identifier"),
        instant("ReminderDateTime", "Reminder Date/Time"),
        flag("IsReminderSet", "Reminder Set"),
        lookup("RecurrenceActivityId", "Task", child="RecurringTasks", **READ_ONLY),
        flag("IsRecurrence", "Create Recurring Series of Tasks", **CREATE_ONLY),
        day("RecurrenceStartDateOnly", "Recurrence Start"),
        *_recurrence(),
        picklist("RecurrenceRegeneratedType", ("RecurrenceRegenerateAfterDueDate",), 40, restricted=True),
        picklist("TaskSubtype", TASK_SUBTYPES, 40, default="Task", restricted=True, **CREATE_ONLY),
        instant("CompletedDateTime", "Completed Date", **READ_ONLY),
        record_type(),
    ]


def _note() -> list[Field]:
    return [
        *first("Note"),
        lookup("ParentId", *PARENTS, required=True, cascade=True, child="Notes", grows=True, **CREATE_ONLY),
        text("Title", 80, required=True, name_field=True),
        flag("IsPrivate", "Private"),
        text("Body", 32000, type="textarea"),
        *last(),
    ]


def _attachment() -> list[Field]:
    return [
        *first("Attachment"),
        lookup("ParentId", *PARENTS, required=True, cascade=True, child="Attachments", grows=True, **CREATE_ONLY),
        text("Name", 255, "File Name", required=True, name_field=True),
        flag("IsPrivate", "Private"),
        text("ContentType", 120),
        whole("BodyLength", digits=9, **READ_ONLY),
        Field(name="Body", label="Body", type="base64", required=True),
        *last(),
        text("Description", 500, type="textarea"),
    ]
