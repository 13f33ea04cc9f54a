"""The JSON-RPC server on the Unix socket."""
