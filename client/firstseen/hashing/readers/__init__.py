"""One reader for each kind of document: `read(data, content)` puts into `content` what is there.

No reader runs a macro or a script, follows a link, or writes a file.
"""
