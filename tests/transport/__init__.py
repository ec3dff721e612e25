"""Tests of the outgoing HTTP, over true sockets on the loopback interface."""
