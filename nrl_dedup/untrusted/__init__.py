"""Reading files that a stranger may have made: what a file declares is checked against the file before it is believed.

Nothing here runs code from a file, follows a link, waits for a pipe, or asks for memory by what a file says of itself.
"""
