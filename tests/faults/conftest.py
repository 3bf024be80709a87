"""What these tests share: a gateway process whose settings are a few lines of TOML."""
