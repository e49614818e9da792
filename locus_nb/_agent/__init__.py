"""A small agent that says what it does: `agent` as users call it, its `loop`, and its `result`.

`tool` makes tools of functions, whose parameters `schema` describes; `model` finds the model that `messages` go to,
by default the `mock`. `events` are the agent's while it runs, `worker` is a loop where none may be started, and
`loops` lets one be started inside another. A tool at work is a `live_call`, a sync one in its
`own_thread`, and the `main_thread` can be handed what only it can do while it waits. Blocked there, code is
`interruptible`; an `alarm` is for code that looks at no clock.
"""
