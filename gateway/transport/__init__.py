"""The only outgoing HTTP: layers of httpx transports, from the retries down to the sockets, joined in `client.py`."""
