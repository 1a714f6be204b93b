"""Inspection: is there a backdoor in this model and the data it was trained on, and which pictures planted it?"""
