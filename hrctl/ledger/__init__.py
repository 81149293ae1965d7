"""The ledger: what hrctl applied, who is applying now, and what was left half done."""
