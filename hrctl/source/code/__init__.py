"""The code of applications: which files it is, where a flag's key stands in it, who asks for what.

files   the files of a folder that are somebody's code
calls   what a call that asks for a flag looks like, in each language
search  one scan over all files for all keys
"""
