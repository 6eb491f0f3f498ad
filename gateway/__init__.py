"""The program: command line, configuration, HTTP, observation."""
