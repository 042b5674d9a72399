"""The quorum controller: requests become (records, response), only `replay(record)` changes state. One module a control area."""
