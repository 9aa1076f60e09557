"""Node, gateway and worker as processes of one machine."""
