"""Lab sessions on a rig: record, scan, report."""
