"""The client library: all that front-ends see."""
