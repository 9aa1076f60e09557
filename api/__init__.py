"""The gateway: what brands, members and auditors talk to over HTTP.

Layers, lower to higher: identity → events → decisions → journeys → channels. A layer imports only layers
before it, and `chain`. `app.py` puts them together; nothing below it reads the environment.
"""
