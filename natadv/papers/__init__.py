"""The papers, table by table: ours beside theirs."""
