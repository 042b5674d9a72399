"""Record batches (magic 2): their header, their records, compression, control records, and what a leader checks before it appends them."""
