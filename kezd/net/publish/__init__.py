"""Publishing proofs where the person's accounts are, with the person's own credentials.

One module for each service. Not here: where credentials are kept, and the confirmation that comes before.
"""
