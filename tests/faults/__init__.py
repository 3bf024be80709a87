"""What goes wrong, one file a family: a name carries the row that it proves, its docstring what the caller sees."""
