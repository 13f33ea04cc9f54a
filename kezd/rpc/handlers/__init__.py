"""One handler module for each noun of the RPC."""
