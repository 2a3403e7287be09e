"""What Osiris does, one file a flow: the rules of `ledger` joined to the worlds outside."""
