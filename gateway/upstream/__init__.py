"""The only room that speaks to models: targets, the first-token gate, fail-over, the embedded defaults."""
