"""What experts know: the rule language and the shipped rule sets."""
