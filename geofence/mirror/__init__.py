"""Signed mirrors: lists that one host has checked, for others that verify them.

A mirror is a directory that any web server can serve. ``index.signed`` names each list with its
size and hash, and has a serial number and an end; the lists are beside it under their hashes. So
nobody but the holder of the key can give other lists, old ones, or some old and some new.
"""
