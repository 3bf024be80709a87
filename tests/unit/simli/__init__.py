"""What `gateway/simli` computes, without a network."""
