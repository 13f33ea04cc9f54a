"""Fetching what strangers publish: guarded HTTP, and one module for each channel of proofs.

`addresses` says where nobody may be sent, `guard` connects, `page` fetches. Not here: what a proof means.
"""
