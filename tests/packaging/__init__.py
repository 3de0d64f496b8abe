"""What the packages have: manual pages, completion, contents; and the packages on a real Debian."""
