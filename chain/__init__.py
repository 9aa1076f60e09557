"""The chain room: a node, a relayer that never doubles and a mirror that never drifts.

Knows Ethereum; knows nothing of members, of HTTP or of money's meaning.
"""
