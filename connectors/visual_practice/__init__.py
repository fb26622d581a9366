"""Visual Practice: reading its records, changes and deletes. Nothing here writes."""

from connectors.visual_practice.change import Change, ChangeReader, RecordUnreadable
from connectors.visual_practice.client import Found, Page, VisualPractice

__all__ = ["Change", "ChangeReader", "Found", "Page", "RecordUnreadable", "VisualPractice"]
