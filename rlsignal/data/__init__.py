"""From other people's files to counts: `read` opens them, the rest recognises and counts rows. Needs no theory."""
