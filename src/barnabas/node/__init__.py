"""A running node: the only place where wire, storage, core and sockets meet."""
