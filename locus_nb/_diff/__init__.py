"""Runs compared: `diff` is what users call, `facts` what differs, and `tables` declares the columns of frames.

`align` puts the steps of two runs side by side, and `step_changes` says what became of them; `compare` weighs the
numbers of two groups. `picture` is how it shows itself, by its `number_tables` and `step_lines`, in `words`.
"""
