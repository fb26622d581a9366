"""Files: their contents on disk, and the records that describe them.

`bodies` keeps contents, `documents` the rules of ContentVersion, ContentDocument, ContentDocumentLink and Attachment.
"""
