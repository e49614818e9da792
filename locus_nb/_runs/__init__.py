"""Runs as objects: `run` is one, `run_list` has several.

`facts` are what is known of a run at one moment, and `steps` its calls. `picture`, `tree` and, of several,
`list_picture` are how they show themselves; `still` is a picture that stays.
"""
