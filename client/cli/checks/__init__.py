"""What `cipherlens doctor` looks at, a file for each place; nothing here changes anything."""
