"""What deploy/ describes, built and started: the image without a builder, the service without systemd. Some minutes."""
