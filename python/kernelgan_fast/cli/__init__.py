"""The command `kernelgan-fast`: `main` parses, one module a subcommand calls the api and prints."""
