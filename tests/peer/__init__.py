"""The peer against a sandbox, over real sockets: what it sees and hears, and what it says where it does not."""
