"""What a class sees on the blackboard, computed by the oracle.

`worked_step` has one step of training in numbers; `worked_step_text` prints it.
"""
