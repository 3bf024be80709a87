"""What lies in deploy/, as far as it can be run without a container or a cluster."""
