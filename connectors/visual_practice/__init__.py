"""Visual Practice: reading its records, changes and deletes. Nothing here writes."""

from connectors.visual_practice.budget import Budget
from connectors.visual_practice.change import Change, ChangeReader, RecordUnreadable
from connectors.visual_practice.client import Found, Next, Page, VisualPractice
from connectors.visual_practice.profile import Profile
from connectors.visual_practice.source_time import SourceTime, Span, Undecided

__all__ = [
    "Budget",
    "Change",
    "ChangeReader",
    "Found",
    "Next",
    "Page",
    "Profile",
    "RecordUnreadable",
    "SourceTime",
    "Span",
    "Undecided",
    "VisualPractice",
]
