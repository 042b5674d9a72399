"""What each configuration key does, in a sentence or two, with its unit and when to change it. Imported only by who shows it: never by a start."""
