"""What is made from the OpenRPC document: typed clients and the reference. Pure: strings out.

Tools of the repository (`make contract` writes the files); the peer never imports this.
"""
