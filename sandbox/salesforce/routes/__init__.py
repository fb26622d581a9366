"""The HTTP side of the Salesforce server, one module per family of resources. None of them knows SQL."""
