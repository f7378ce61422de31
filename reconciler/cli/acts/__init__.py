"""What verbs do. The module of a verb declares its options, and imports its act when the verb is used.

So the help of a verb, and the completion of its options and names, do not load the SDK of Azure.
"""
