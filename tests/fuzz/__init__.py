"""What strangers can send to the daemon: specs, webhooks, commits, addresses of repositories, answers of Azure.

`properties` says what holds for any of it. The tests here check it with Hypothesis, and `make fuzz` with atheris, which
follows the coverage of the code.
"""
