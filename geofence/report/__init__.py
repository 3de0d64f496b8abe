"""The snapshot as a page: one HTML file without script, for a browser, a mail or the printer."""
