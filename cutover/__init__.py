"""The operator's side: settings, the command line, the ledger, and the control process."""
