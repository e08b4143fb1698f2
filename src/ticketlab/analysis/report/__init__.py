"""report.html: what it says of some runs, and how the page is put together."""
