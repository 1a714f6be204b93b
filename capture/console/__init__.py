"""The operator's live web page: what the rig sees, how a session stands, and buttons to lead it by."""
