"""What each verb does. The verb's own module declares the options, and imports the act only to run it.

Help and completion therefore do not load the Azure SDK.
"""
