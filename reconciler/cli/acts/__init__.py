"""What each verb does. The verb's own module declares its options, and imports its act only to run it.

This way, help and completion do not load the Azure SDK.
"""
