"""The RPC contract: methods, shapes, events. Pure."""
